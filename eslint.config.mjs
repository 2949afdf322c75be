import tseslint from 'typescript-eslint';

/** Import fences per folder: the cheapest of the three (docs/ARCHITECTURE.md); dependency-cruiser holds the indirect ones. */
const fence = (files, groups, message) => ({
  files,
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      { patterns: groups.map(({ group, allowTypeImports = false }) => ({ group, allowTypeImports, message })) },
    ],
  },
});
const ENGINES = ['@aws-sdk/*', 'pg', 'pg-*', 'kysely', '@duckdb/*', 'node:*'];

export default tseslint.config(
  { ignores: ['node_modules/', '.meridian/', 'cdk.out/', 'coverage/', '**/*.js', '**/*.mjs', '**/*.cjs', '**/.venv/'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      // An activity is async by its interface, whether or not this one awaits.
      '@typescript-eslint/require-await': 'off',
      // Query builders and test doubles pass their functions around; none of ours reads `this`.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false }],
      'no-restricted-syntax': [
        'error',
        { selector: 'TSEnumDeclaration', message: 'Use an object `as const` and a type of the same name.' },
        { selector: 'ExportDefaultDeclaration', message: 'Named exports only.' },
        { selector: 'ExportAllDeclaration', message: 'A barrel re-exports by name.' },
      ],
    },
  },
  fence(['domain/**'], [{ group: [...ENGINES, '@temporalio/*', '../*'] }], 'domain is pure: it imports nothing but itself'),
  fence(['pipelines/**'], [{ group: [...ENGINES, '@temporalio/*', '../!(domain)/**'] }], 'pipelines are data over domain'),
  fence(
    ['workflows/**'],
    [{ group: [...ENGINES, '@temporalio/{client,worker,activity,testing}'] }, { group: ['../activities*', '../pipelines*'], allowTypeImports: true }],
    'workflows decide; they import domain and @temporalio/workflow, and activities as types',
  ),
  fence(['sql/**'], [{ group: ['@aws-sdk/*', '@temporalio/*', '../**/{activities,workflows,worker,cli,pipelines,infra}/**'] }], 'sql knows PostgreSQL only'),
  fence(
    ['activities/**'],
    [{ group: ['@temporalio/{workflow,client,worker,testing}', '../workflows*', '../worker*', '../cli*', '../infra*'] }],
    'activities are I/O: domain, pipelines, sql, AWS SDK',
  ),
  fence(
    ['edge/**'],
    [{ group: ['@aws-sdk/*', 'pg', 'pg-*', 'kysely', '@duckdb/*', '@temporalio/{workflow,client,worker,activity,testing}', '../*'] }],
    'edge guards what leaves the process: it knows bytes, addresses and keys, none of our own words',
  ),
  fence(['infra/aws/**'], [{ group: ['**/activities/**', '**/sql/**', '**/worker/**', '**/cli/**', '@temporalio/*'] }], 'infra/aws synthesises from domain and pipelines'),
);
