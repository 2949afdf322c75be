/** Who may import whom at run time; style guide's table. Type-only imports are free where eslint allows them. */
const only = (from, allowed, extra = {}) => ({
  name: `${from.replaceAll('/', '-')}-imports`,
  severity: 'error',
  from: { path: `^${from}/` },
  to: { path: '^(domain|pipelines|workflows|activities|sql|edge|worker|cli|infra|test|bench)/', pathNot: `^(${[from, ...allowed].join('|')})/`, ...extra },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    only('domain', []),
    only('pipelines', ['domain']),
    only('workflows', ['domain']),
    only('sql', ['domain', 'edge']),
    only('edge', []),
    only('activities', ['domain', 'pipelines', 'sql']),
    only('worker', ['domain', 'pipelines', 'activities', 'sql', 'edge']),
    only('cli', ['domain', 'pipelines', 'sql', 'infra/deploy', 'infra/local', 'worker', 'edge']),
    only('infra/aws', ['domain', 'pipelines']),
    only('infra/deploy', ['domain']),
    only('infra/local', ['domain', 'infra/deploy']),
    only('bench', ['domain', 'pipelines', 'activities', 'sql', 'worker', 'cli', 'infra/costs', 'infra/local', 'test']),
    {
      name: 'workflows-reach-no-engine',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { reachable: true, path: '^node_modules/(@aws-sdk|pg|kysely|@duckdb)/' },
    },
    {
      name: 'sql-reaches-no-temporal',
      severity: 'error',
      from: { path: '^sql/' },
      to: { reachable: true, path: '^node_modules/@temporalio/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: false, // what remains after compilation: type-only imports are free, eslint says where
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.json'] },
  },
};
