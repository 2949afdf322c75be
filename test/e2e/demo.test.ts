import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { EMRServerlessClient, GetJobRunCommand } from '@aws-sdk/client-emr-serverless';
import { GetObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import type { Pool } from 'pg';
import { logFile } from '../../infra/local/processes';
import { readStackEnv } from '../../infra/local/stack-env';
import { cacheFolder } from '../../infra/local/toolchain/cache';
import { type OpenDatabase, openDatabase } from '../../sql/database';
import { PageShell, pageCommands } from '../support/documented-page';
import { type ExpectedNight, servedChecksums } from '../support/expected/checksums';
import { unusedGrants } from '../support/unused-grants';
import { type Finished, startMeridian } from './meridian-process';

const NIGHTS = ['2018-08-02T00:00:00Z', '2018-08-03T00:00:00Z', '2019-11-30T00:00:00Z'] as const;
const CHECKOUT = resolve(__dirname, '..', '..');
/** The stack's tools may have to be brought first. */
const LIMIT_MS = 25 * 60_000;

interface Document {
  readonly nights: readonly (Record<string, unknown> & {
    readonly intervalEnd: string;
    readonly reason?: string;
    readonly served: Readonly<Record<string, number>>;
    readonly stages: Readonly<Record<string, number>>;
    readonly readers: Readonly<Record<string, number>>;
  })[];
  readonly temporalUi: string;
  readonly postgresUrl: string;
  readonly awsEndpoint: string;
  readonly totalMs: number;
}

let home: string;
let env: NodeJS.ProcessEnv;
let stack: Record<string, string>;
let finished: Finished;
let document: Document;
let expected: readonly ExpectedNight[];
let database: OpenDatabase;
let s3: S3Client;
let emr: EMRServerlessClient;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'meridian-e2e-'));
  chmodSync(home, 0o755); // as root, PostgreSQL runs as another user
  const free = { MERIDIAN_TEMPORAL_PORT: '0', MERIDIAN_TEMPORAL_UI_PORT: '0', MERIDIAN_POSTGRES_PORT: '0', MERIDIAN_AWS_PORT: '0' };
  env = { ...process.env, ...free, MERIDIAN_HOME: home };

  // The first demo is killed while its first job runs; what is told below is told of the second.
  const killed = startMeridian(['demo', '--auth', '--json'], env);
  await killed.said(/EMR job run \w+ over/);
  killed.child.kill('SIGKILL');
  await killed.finished;
  finished = await startMeridian(['demo', '--auth', '--json'], env).finished;
  if (finished.stdout === '') throw new Error(`The demo printed no document:\n${finished.stderr.slice(-5_000)}`);
  document = JSON.parse(finished.stdout) as Document;

  stack = readStackEnv(home);
  const { PGHOST: host, PGPORT: port, PGUSER: user, PGPASSWORD: password, PGDATABASE: name } = stack;
  database = openDatabase({ host, port: Number(port), user, password, database: name });
  const credentials = { accessKeyId: setting('AWS_ACCESS_KEY_ID'), secretAccessKey: setting('AWS_SECRET_ACCESS_KEY') };
  const aws = { endpoint: setting('AWS_ENDPOINT_URL'), region: setting('AWS_REGION'), credentials };
  s3 = new S3Client(aws);
  emr = new EMRServerlessClient(aws);
  expected = await computeExpected();
}, LIMIT_MS);

afterAll(async () => {
  s3?.destroy();
  emr?.destroy();
  await database?.close();
  await startMeridian(['down', '--purge'], env).finished;
  rmSync(home, { recursive: true, force: true });
}, 120_000);

const setting = (name: string) => stack[name] ?? '';

/** Plain Python over the raw objects as they were uploaded; nothing of the product takes part. */
async function computeExpected(): Promise<readonly ExpectedNight[]> {
  const script = join(CHECKOUT, 'test', 'support', 'expected', 'compute.py');
  const wheel = join(cacheFolder(), 'input', 'traffic-2.13-py3-none-any.whl');
  const countries = require.resolve('world-atlas/countries-10m.json');
  const [first, second, third] = NIGHTS;
  const { stdout } = await promisify(execFile)(
    setting('MERIDIAN_PYTHON'),
    [script, '--bucket', setting('MERIDIAN_RAW_BUCKET'), '--wheel', wheel, '--countries', countries, '--promoted', first, second, '--rejected', third],
    { env: { ...process.env, ...stack, AWS_DEFAULT_REGION: setting('AWS_REGION') }, maxBuffer: 16 * 1024 * 1024 },
  );
  return (JSON.parse(stdout) as { readonly nights: readonly ExpectedNight[] }).nights;
}

async function rowsOf<T extends object>(pool: Pool, query: string, values: readonly unknown[] = []): Promise<readonly T[]> {
  return (await pool.query<T>(query, [...values])).rows;
}

async function linesOf(bucket: string, key: string): Promise<readonly string[]> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  if (Body === undefined) throw new Error(`s3://${bucket}/${key} has no body`);
  return gunzipSync(await Body.transformToByteArray()).toString('utf8').split('\n');
}

test('the nights come out promoted, promoted and rejected, and the command says so with exit code 0', () => {
  expect({ code: finished.code, outcomes: document.nights.map((night) => night.outcome) }).toEqual({
    code: 0,
    outcomes: ['promoted', 'promoted', 'rejected'],
  });
});

test('S2.21 S1.13 X14 the nights ran under the roles of the template: the local AWS takes no credentials but those it gave', async () => {
  const { endpoint, region } = { endpoint: setting('AWS_ENDPOINT_URL'), region: setting('AWS_REGION') };
  const stranger = new S3Client({ endpoint, region, credentials: { accessKeyId: 'local', secretAccessKey: 'local' }, maxAttempts: 1 });

  await expect(stranger.send(new GetObjectCommand({ Bucket: setting('MERIDIAN_RAW_BUCKET'), Key: 'any' }))).rejects.toMatchObject({ name: 'InvalidAccessKeyId' });
  // Not only cycles: the archive, the events and the backlog have roles, and only log a refusal.
  expect(readFileSync(logFile(home, 'worker'), 'utf8')).not.toContain('not authorized');

  stranger.destroy();
});

test('the document has the promised shape', () => {
  expect(Object.keys(document).sort()).toEqual(['awsEndpoint', 'nights', 'postgresUrl', 'temporalUi', 'totalMs']);
  expect(document.nights.map((night) => night.intervalEnd)).toEqual(NIGHTS);
  for (const night of document.nights) {
    expect(night).toMatchObject({ rulesPassed: expect.any(Number) as number, rulesFailed: expect.any(Number) as number });
    expect(night).toHaveProperty('promotionMs');
    expect(Object.keys(night.readers).sort()).toEqual(['empty', 'failed', 'longestMs', 'mixed', 'reads']);
    for (const stage of ['resolve', 'turn', 'discover', 'dedup', 'transform', 'check']) expect(night.stages[stage]).toEqual(expect.any(Number));
  }
  expect(document.temporalUi).toMatch(/^http:\/\/127\.0\.0\.1:\d+/);
  expect(document.awsEndpoint).toBe(setting('AWS_ENDPOINT_URL'));
});

test.each([0, 1, 2])('X6 I1 night %i: read, stored, duplicates and quarantined by reason are what the independent computation found', (index) => {
  const { intervalEnd, read, stored, duplicates, quarantined } = expected[index] ?? {};

  expect(document.nights[index]).toMatchObject({ intervalEnd, read, stored, duplicates });
  expect(document.nights[index]?.quarantined).toEqual(quarantined);
});

test('S0.3 S2.12 the views serve exactly the rows that the independent computation has, by checksum', async () => {
  expect(await servedChecksums(database.pool)).toEqual(expected[1]?.served);
});

test('S0.7 I4 the third night leaves the views at night two, and says why', async () => {
  const third = document.nights[2];
  const comments = await rowsOf<{ comment: string }>(
    database.pool,
    "select obj_description(oid) as comment from pg_class where relkind = 'v' and relname in ('vw_positions', 'vw_zone_activity')",
  );

  expect(third?.served).toEqual({ positions: expected[1]?.served.positions?.rows, zone_activity: expected[1]?.served.zone_activity?.rows });
  expect(third).toMatchObject({ outcome: 'rejected', promotionMs: null });
  expect(third?.reason).toMatch(/added: Completeness "speed" > 0\.9/);
  expect(expected[2]?.storedWithoutSpeed).toBe(expected[2]?.stored);
  expect(comments.map(({ comment }) => (JSON.parse(comment) as { intervalEnd: string }).intervalEnd).map((end) => Date.parse(end))).toEqual([
    Date.parse(NIGHTS[1]),
    Date.parse(NIGHTS[1]),
  ]);
});

test('I3 the readers beside the nights met no failed, empty or mixed read', () => {
  for (const { readers } of document.nights) expect(readers).toMatchObject({ failed: 0, empty: 0, mixed: 0 });
  // The first night has nothing to read until its end.
  for (const { readers } of document.nights.slice(1)) expect(readers['reads']).toBeGreaterThan(20);
});

test('X5 a served row leads back to its line in its raw object, odd keys included, and to the job that made it', async () => {
  const rows = await rowsOf<Record<string, unknown> & { raw_object: string; raw_line: number; cycle_id: string }>(
    database.pool,
    `select distinct on (raw_object) raw_object, raw_line, cycle_id, device_id, longitude, latitude, speed, altitude,
            (extract(epoch from event_time) * 1000)::bigint as epoch_ms
       from vw_positions where raw_object ~ '[ %+]' order by raw_object, raw_line desc`,
  );

  expect(rows.length).toBeGreaterThan(3);
  for (const { raw_object: key, raw_line: line, ...row } of rows) {
    const record = JSON.parse((await linesOf(setting('MERIDIAN_RAW_BUCKET'), key))[line - 1] ?? '') as Record<string, unknown>;
    expect(row).toMatchObject({
      device_id: record['icao24'],
      longitude: record['longitude'],
      latitude: record['latitude'],
      speed: record['groundspeed'],
      altitude: record['altitude'],
      epoch_ms: record['timestamp'],
    });
  }
  const cycles = await rowsOf<{ external_id: string; served: boolean }>(
    database.pool,
    `select j.external_id, exists (select from vw_positions p where p.cycle_id = $1 || '/' || to_char(c.interval_end at time zone 'UTC', 'YYYYMMDD"T"HH24MISS"Z"')
              and p.generation = c.generation) as served
       from meridian.cycle c join meridian.job j using (pipeline, interval_end, generation)
      where c.outcome = 'promoted' and j.kind = 'emr' order by c.interval_end`,
    ['mobile-geolocation'],
  );
  expect(cycles.map(({ served }) => served)).toEqual([true, true]);
  for (const { external_id: jobRunId } of cycles) {
    const { jobRun } = await emr.send(new GetJobRunCommand({ applicationId: setting('MERIDIAN_EMR_APPLICATION_ID'), jobRunId }));
    expect(jobRun?.state).toBe('SUCCESS');
  }
});

test('S2.36 what was quarantined stands in the quarantine bucket with reason, object and line', async () => {
  const found: Record<string, number> = {};
  const prefix = 'mobile-geolocation/20191130T000000Z/';
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: setting('MERIDIAN_QUARANTINE_BUCKET'), Prefix: prefix })) {
    for (const { Key = '' } of page.Contents ?? []) {
      for (const line of (await linesOf(setting('MERIDIAN_QUARANTINE_BUCKET'), Key)).filter((text) => text !== '')) {
        const { reason } = JSON.parse(line) as { readonly reason: string };
        found[reason] = (found[reason] ?? 0) + 1;
      }
    }
  }

  expect(found).toEqual(expected[2]?.quarantined);
});

test('I5 I7 the demo that was killed left no job, no open cycle, no turn and no table behind', async () => {
  const generations = await rowsOf<{ generation: number; outcome: string }>(
    database.pool,
    'select generation, outcome from meridian.cycle where interval_end = $1 order by generation',
    [NIGHTS[0]],
  );
  const jobs = await rowsOf<{ external_id: string }>(
    database.pool,
    "select external_id from meridian.job where kind = 'emr' and generation = 1 and interval_end = $1",
    [NIGHTS[0]],
  );
  const tables = await rowsOf<{ relname: string }>(
    database.pool,
    "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relname ~ '^(positions|zone_activity)_v' order by 1",
  );
  const turns = await rowsOf<object>(database.pool, 'select 1 from meridian.turn where holder_run_id is not null');

  expect(generations).toEqual([
    { generation: 1, outcome: 'cancelled' },
    { generation: 2, outcome: 'promoted' },
  ]);
  expect(jobs).toHaveLength(1);
  for (const { external_id: jobRunId } of jobs) {
    const { jobRun } = await emr.send(new GetJobRunCommand({ applicationId: setting('MERIDIAN_EMR_APPLICATION_ID'), jobRunId }));
    expect(['CANCELLED', 'SUCCESS', 'FAILED']).toContain(jobRun?.state);
  }
  expect(tables.map(({ relname }) => relname)).toEqual(['positions_v1', 'positions_v2', 'zone_activity_v1', 'zone_activity_v2']);
  expect(turns).toEqual([]);
});

/** Lines of the README that only look, or that the demo's ended nights refuse; docs/operating.md has those that change something. */
const LOOKS = /^npx meridian (temporal workflow (list|query|update)|cycles|logs|versions|report|backfill .* --preview)/;

test("the README's lines that look, with our CLI and with plain `temporal`, work as pasted (S4.18)", async () => {
  const typed = pageCommands('README.md').typed.filter((line) => LOOKS.test(line));
  const shell = new PageShell({ ...env, ...stack }, home);
  const failures: unknown[] = [];
  for (const line of typed) {
    const { code, said } = await shell.type(line);
    const isSilent = said.trim() === '' && !line.includes('"held"'); // none of the demo's nights is held
    if (line.includes('workflow update') ? !/already completed/.test(said) : code !== 0 || isSilent) failures.push({ line, code, said });
  }

  expect(failures).toEqual([]);
  expect(typed.filter((line) => line.includes('temporal workflow list'))).toHaveLength(3);
  expect(typed.length).toBeGreaterThan(9);
}, LIMIT_MS);

/** Before a command that needs it: a cycle that runs. */
const SETUP: Readonly<Record<string, string>> = {
  'npx meridian cycles cancel': 'npx meridian rerun mobile-geolocation 2018-08-03T00:00:00Z --from transform --reason "to be cancelled" --no-wait',
};
/** Nothing is held in the demo: then a decision must be refused in so many words. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  'npx meridian approve': /Nothing was decided: the cycle etl\/mobile-geolocation-2018-08-03T00:00:00Z does not run/,
  'npx meridian reject': /Nothing was decided: the cycle etl\/mobile-geolocation-2018-08-03T00:00:00Z does not run/,
};

test('every command of docs/operating.md works as pasted, in the order of the page (X3, X4, X8, X9, S4.18)', async () => {
  const { typed } = pageCommands('docs/operating.md');
  const shell = new PageShell({ ...env, ...stack }, home);
  const failures: unknown[] = [];
  for (const line of typed) {
    const of = <T>(table: Readonly<Record<string, T>>) => Object.entries(table).find(([start]) => line.startsWith(start))?.[1];
    const setup = of(SETUP);
    if (setup !== undefined) await shell.type(setup);
    const { code, said } = await shell.type(line);
    const refusal = of(REFUSED);
    if (refusal === undefined ? code !== 0 : code !== 1 || !refusal.test(said)) failures.push({ line, code, said });
  }

  expect(failures).toEqual([]);
  expect(typed.length).toBeGreaterThan(30);
  const [served] = await rowsOf<{ kind: string; rows: number }>(
    database.pool,
    `select p.kind, (select count(*)::int from vw_positions) as rows from meridian.promotion p where p.pipeline = 'mobile-geolocation' order by p.sequence desc limit 1`,
  );
  expect(served).toEqual({ kind: 'cycle', rows: expected[1]?.served.positions?.rows });
}, LIMIT_MS);

test('no role has a grant that neither the nights nor the commands of the pages needed, without an excuse (S1.13, S2.21)', async () => {
  expect(await unusedGrants(stack)).toEqual([]);
});
