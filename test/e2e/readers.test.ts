import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { type ReaderLoop, startReaders } from '../../cli/demo/reader-loop';
import { createTestDatabase, type TestDatabase } from '../support/postgres';

/** Enough for each connection to have read several times. */
const SOME_READS_MS = 1_000;
const START_MS = 3_000;

let database: TestDatabase;
let writer: Client;
let readers: ReaderLoop | undefined;

/** Positions of that many hours, a tenth of them in no zone, and their activity. */
async function makeVersion(version: number, hours: number): Promise<void> {
  await writer.query(
    `create table p_${version} as select '2018-08-01T00:00:00Z'::timestamptz + (i % ${hours}) * interval '1 hour' as event_time,
            case when i % 10 = 0 then null else 'a zone' end as zone from generate_series(1, 2000) i`,
  );
  await writer.query(`create table a_${version} as select zone, event_time as hour, count(*) as records from p_${version} where zone is not null group by 1, 2`);
}

const point = (view: string, table: string) => writer.query(`create or replace view ${view} as select * from ${table}`);

async function swapBoth(version: number): Promise<void> {
  await writer.query('begin');
  await point('vw_positions', `p_${version}`);
  await point('vw_zone_activity', `a_${version}`);
  await writer.query('commit');
}

function readersOf(config: TestDatabase['config']): ReaderLoop {
  const { host, port, user, password, database: name } = config;
  return startReaders({
    ...process.env,
    PGHOST: String(host),
    PGPORT: String(port),
    PGUSER: String(user),
    PGPASSWORD: String(password),
    PGDATABASE: String(name),
  });
}

beforeAll(async () => {
  database = await createTestDatabase();
  writer = new Client(database.config);
  await writer.connect();
  await makeVersion(1, 12);
  await makeVersion(2, 22);
});
beforeEach(() => swapBoth(1));
afterEach(() => readers?.abandon());
afterAll(async () => {
  await writer.end();
  await database.stop();
});

test('I3: readers beside swaps of both views in one transaction see no failed, empty or mixed read', async () => {
  readers = readersOf(database.config);
  await sleep(START_MS);
  readers.hurry();
  for (let swap = 0; swap < 20; swap += 1) {
    await swapBoth(swap % 2 === 0 ? 2 : 1);
    await sleep(50);
  }

  const { summary, faults } = await readers.finish();

  expect(faults).toEqual([]);
  expect(summary).toMatchObject({ failed: 0, empty: 0, mixed: 0 });
  expect(summary.reads).toBeGreaterThan(20);
  expect(summary.longestMs).toBeGreaterThan(0);
});

test('the readers can fail: views of two versions are mixed, an empty one is empty, a missing one fails', async () => {
  readers = readersOf(database.config);
  await sleep(START_MS);
  readers.hurry();
  await point('vw_positions', 'p_2');
  await sleep(SOME_READS_MS);
  await writer.query('create table a_empty (like a_1)');
  await point('vw_zone_activity', 'a_empty');
  await sleep(SOME_READS_MS);
  await writer.query('drop view vw_zone_activity');
  await sleep(SOME_READS_MS);

  const { summary } = await readers.finish();

  expect(summary.mixed).toBeGreaterThan(0);
  expect(summary.empty).toBeGreaterThan(0);
  expect(summary.failed).toBeGreaterThan(0);
});

test('a table that is filled after a snapshot and swapped in at once is an empty read under REPEATABLE READ: what the snapshot wait is for', async () => {
  readers = readersOf(database.config);
  await sleep(START_MS);
  readers.hurry();
  for (let version = 100; version < 140; version += 1) {
    await makeVersion(version, 12);
    await swapBoth(version);
    await sleep(20);
  }

  const { summary } = await readers.finish();

  expect(summary.empty).toBeGreaterThan(0);
});

test('before the views exist there is nothing to read, and that is no failure', async () => {
  await writer.query('drop view if exists vw_positions; drop view if exists vw_zone_activity');
  readers = readersOf(database.config);
  await sleep(START_MS);

  const { summary } = await readers.finish();

  expect(summary).toEqual({ reads: 0, failed: 0, empty: 0, mixed: 0, longestMs: 0 });
});
