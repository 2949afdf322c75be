import { STACK_OUTPUTS } from '../../domain/stack-outputs';
import { readWorkerConfig } from '../../worker/config';

const complete: Record<string, string> = {
  AWS_REGION: 'eu-central-1',
  PGHOST: 'db',
  PGDATABASE: 'meridian',
  PGUSER: 'meridian',
  MERIDIAN_JOBS_URI: 's3://artifacts/jobs/abc',
  ...Object.fromEntries(Object.values(STACK_OUTPUTS).map((name) => [name, `value-of-${name}`])),
};

test('the outputs of the template and a database are all that a worker needs (X14)', () => {
  expect(readWorkerConfig(complete)).toMatchObject({ taskQueue: 'meridian', ledgerTable: 'value-of-MERIDIAN_LEDGER_TABLE' });
});

test('every missing and malformed variable is reported at once', () => {
  const { MERIDIAN_RAW_BUCKET, PGHOST, ...rest } = complete;

  expect([MERIDIAN_RAW_BUCKET, PGHOST]).not.toContain(undefined);
  expect(() => readWorkerConfig({ ...rest, MERIDIAN_DUCKDB_MEMORY_MB: 'lots', MERIDIAN_AWS_TIMEOUT_SECONDS: '0', MERIDIAN_METRICS_ADDRESS: '9090' })).toThrow(
    /5 fault\(s\): MERIDIAN_RAW_BUCKET is not set; PGHOST is not set; MERIDIAN_DUCKDB_MEMORY_MB: .*"lots"; MERIDIAN_AWS_TIMEOUT_SECONDS: .*"0"; MERIDIAN_METRICS_ADDRESS: .*"9090"/,
  );
});

test('an endpoint or a setting by which secrets could be overheard stands among the faults', () => {
  expect(() => readWorkerConfig({ ...complete, AWS_ENDPOINT_URL: 'http://aws.example', NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toThrow(
    /2 fault\(s\): AWS_ENDPOINT_URL: http:\/\/aws.example is not encrypted.*; NODE_TLS_REJECT_UNAUTHORIZED=0/,
  );
  expect(() => readWorkerConfig({ ...complete, AWS_ENDPOINT_URL: 'http://127.0.0.1:4566' })).not.toThrow();
});

test('a build id pins cycles to that build; without one workers are unversioned (I8)', () => {
  expect(readWorkerConfig(complete)).not.toHaveProperty('build');
  expect(readWorkerConfig({ ...complete, MERIDIAN_WORKER_BUILD_ID: '2026-11-01.2' }).build).toEqual({ deploymentName: 'meridian', buildId: '2026-11-01.2' });
  expect(() => readWorkerConfig({ ...complete, MERIDIAN_WORKER_BUILD_ID: "b1' OR", MERIDIAN_WORKER_DEPLOYMENT: 'a:b', MERIDIAN_ARCHIVE_SECONDS: '-1' })).toThrow(
    /3 fault\(s\): MERIDIAN_ARCHIVE_SECONDS: .*"-1"; MERIDIAN_WORKER_BUILD_ID: .*"b1' OR"; MERIDIAN_WORKER_DEPLOYMENT: .*"a:b"/,
  );
});

test('nobody can change it while the worker runs', () => {
  expect(Object.isFrozen(readWorkerConfig(complete))).toBe(true);
});
