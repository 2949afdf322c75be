import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { JOB_SQL_FILE, jobSqlText } from './support/job-sql';

const ROOT = join(__dirname, '..', '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');

test('the jobs are tested with the SQL that the worker gives them: run "npm run job-sql", and their tests', () => {
  expect(readFileSync(JOB_SQL_FILE, 'utf8')).toBe(jobSqlText());
});

test('the jobs judge with the version of DuckDB that the worker has, wherever they run', () => {
  const { dependencies } = JSON.parse(read('package.json')) as { readonly dependencies: Readonly<Record<string, string>> };
  const version = dependencies['@duckdb/node-api']?.replace(/-r\.\d+$/, '');

  expect(read('jobs/meridian_jobs/dedup/database.py')).toContain(`WORKER_DUCKDB = "${version}"\n`);
  expect(read('jobs/pyproject.toml')).toContain(`"duckdb==${version}"`);
  expect(read('jobs/Dockerfile')).toMatch(new RegExp(` duckdb==${version} `));
  expect(read('infra/local/aws/requirements.txt')).toMatch(new RegExp(`^duckdb==${version}$`, 'm'));
});
