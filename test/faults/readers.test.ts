import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { freePort } from '../../infra/local/ports';
import { POSTGRES, startPostgres } from '../../infra/local/postgres';
import { removeCluster } from '../../infra/local/postgres-cluster';
import { ensurePasswords } from '../../infra/local/postgres-passwords';
import { stopProcess } from '../../infra/local/processes';
import { postgresServer } from '../../infra/local/toolchain/postgres-server';
import type { ReadersProgress } from './readers/messages';
import { type ReaderPool, type ReadersInput, startReaders } from './readers/reader-pool';
import type { ReaderOptions } from './readers/report';
import { serverIdentity, serverStateBy } from './readers/server-loss';

const home = mkdtempSync(join(tmpdir(), 'meridian-readers-'));
let start: () => Promise<unknown>;
let configOf: (user: 'postgres' | 'meridian' | 'meridian_reader') => ReadersInput['connection'];
let owner: Client;
let pipeline: string;
let number = 0;
const pools: ReaderPool[] = [];

beforeAll(async () => {
  const [server, port] = await Promise.all([postgresServer.locate(), freePort()]);
  if (server === undefined) throw new Error(`${postgresServer.title} was not found: run \`npx meridian up\` once, or \`npm test\``);
  start = () => startPostgres({ home, server, port });
  await start();
  const passwords = ensurePasswords(home);
  configOf = (user) => ({ host: '127.0.0.1', port, database: 'meridian', user, password: passwords[user] });
});
beforeEach(async () => {
  number += 1;
  pipeline = `r${number}`;
  owner = await connect('meridian');
});
afterEach(async () => {
  for (const pool of pools.splice(0)) pool.abandon();
  await owner.end().catch(() => undefined);
});
afterAll(async () => {
  await stopProcess(home, POSTGRES);
  removeCluster(home);
  rmSync(home, { recursive: true, force: true });
});

async function connect(user: 'postgres' | 'meridian'): Promise<Client> {
  const client = new Client(configOf(user));
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

const nightOf = (day: number) => `2024-01-${String(day).padStart(2, '0')}T00:00:00Z`;

/** Tables of one version; `rows` points of that night. */
function tables(day: number, rows = 20): string {
  return `create table ${pipeline}_points_v${day} as select '${nightOf(day)}'::text as night, i from generate_series(1, ${rows}) i;
          create table ${pipeline}_totals_v${day} as select '${nightOf(day)}'::text as night, ${rows}::bigint as records where ${rows} > 0;`;
}
function point(view: 'points' | 'totals', day: number): string {
  const columns = { points: 'night', totals: 'night, records' }[view];
  return `create or replace view vw_${pipeline}_${view} as select ${columns} from ${pipeline}_${view}_v${day};
          grant select on vw_${pipeline}_${view} to meridian_reader;`;
}
/** Gives way to readers as the product does: waiting longer, it would make a reader in between a deadlock's victim. */
async function swapTo(day: number): Promise<void> {
  for (;;) {
    try {
      await owner.query(`begin; set local lock_timeout = '400ms'; ${point('points', day)} ${point('totals', day)} commit;`);
      return;
    } catch (error) {
      await owner.query('rollback');
      if ((error as { readonly code?: unknown }).code !== '55P03') throw error;
      await sleep(50);
    }
  }
}

/** Short readers, unless said: a swap has to wait for long ones. Their long transactions are short enough for a test. */
async function readersOf(options: ReaderOptions = {}): Promise<ReaderPool> {
  const pool = await startReaders({
    connection: configOf('meridian_reader'),
    pipeline,
    readers: { long: 0, readsPerSecond: 200, longMs: 200, longPauseMs: 200, ...options },
  });
  pools.push(pool);
  return pool;
}

/** The state of the readers once it satisfies the condition: what a reader must notice it notices in time. */
async function until(pool: ReaderPool, holds: (progress: ReadersProgress) => boolean): Promise<ReadersProgress> {
  for (const deadline = Date.now() + 30_000; ; await sleep(20)) {
    const progress = await pool.progress();
    if (holds(progress)) return progress;
    if (Date.now() > deadline) throw new Error(`The readers did not get there: ${JSON.stringify(progress)}`);
  }
}
async function moreReads(pool: ReaderPool, count = 60): Promise<void> {
  const { reads } = await pool.progress();
  await until(pool, (progress) => progress.reads >= reads + count);
}

describe('the reader pool', () => {
  it('counts nothing before the first promotion, and whole versions from then on in every kind of reading (I3)', async () => {
    const pool = await readersOf({ long: 1 });
    await sleep(200);
    const before = await pool.progress();
    await owner.query(tables(1) + tables(2, 30));
    await swapTo(1);
    await until(pool, ({ reads }) => reads > 200);
    await pool.phase('second');
    await swapTo(2);
    await until(pool, ({ reads }) => reads > 400);

    const report = await pool.report();

    expect(before).toEqual({ reads: 0, violations: 0, failedWhileDown: 0 });
    expect(report.violations).toEqual([]);
    expect(report.total).toMatchObject({ failed: 0, empty: 0, mixed: 0, stale: 0, nightsSeen: 2 });
    for (const isolation of ['read committed', 'repeatable read'] as const) {
      for (const length of ['short', 'long'] as const) expect(report.counts[isolation][length].reads).toBeGreaterThan(0);
    }
    expect(report.phases['second']?.total.reads).toBeLessThan(report.total.reads);
    expect(report.total.longestMs).toBeGreaterThan(report.total.medianMs);
  });

  it('finds a view empty that was repointed to an empty table (I3)', async () => {
    await owner.query(tables(1) + tables(2, 0));
    await swapTo(1);
    const pool = await readersOf();
    await moreReads(pool);
    await swapTo(2);
    await until(pool, ({ violations }) => violations > 30);

    const { total, violations } = await pool.report();

    expect(total).toMatchObject({ failed: 0, mixed: 0, stale: 0 });
    expect(total.empty).toBeGreaterThan(30);
    expect(violations).toHaveLength(20);
    expect(violations[0]?.saw).toMatch(/^0 points of null; totals: 0 rows/);
  });

  it('finds two nights where the views are repointed one after the other, and none where they are together (I3)', async () => {
    await owner.query(tables(1) + tables(2, 20) + tables(3, 20));
    await swapTo(1);
    const pool = await readersOf();
    await moreReads(pool);
    await swapTo(2);
    await moreReads(pool);
    const together = await pool.progress();
    await owner.query(point('points', 3));
    await until(pool, ({ violations }) => violations > 30);
    await owner.query(point('totals', 3));

    const report = await pool.report();

    expect(together.violations).toBe(0);
    expect(report.total).toMatchObject({ failed: 0, empty: 0, stale: 0 });
    expect(report.counts['read committed'].short.mixed).toBeGreaterThan(0);
    expect(report.counts['repeatable read'].short.mixed).toBeGreaterThan(0);
  });

  it('finds a total that does not match its points, of one night though they are (I3)', async () => {
    await owner.query(tables(1) + tables(2));
    await owner.query(`delete from ${pipeline}_points_v2 where i = 1`);
    await swapTo(1);
    const pool = await readersOf();
    await moreReads(pool);
    await swapTo(2);
    await until(pool, ({ violations }) => violations > 0);

    const { total, violations } = await pool.report();

    expect(total).toMatchObject({ failed: 0, empty: 0, stale: 0 });
    expect(total.mixed).toBeGreaterThan(0);
    expect(violations[0]?.saw).toContain(`19 points of ${nightOf(2)}; totals: 1 rows, 20 records`);
  });

  it('fails on a view that was dropped (I3)', async () => {
    await owner.query(tables(1));
    await swapTo(1);
    const pool = await readersOf();
    await moreReads(pool);
    await owner.query(`drop view vw_${pipeline}_totals`);
    await until(pool, ({ violations }) => violations > 30);

    const { total, violations } = await pool.report();

    expect(total).toMatchObject({ empty: 0, mixed: 0, stale: 0, failedWhileDown: 0 });
    expect(violations[0]?.saw).toMatch(/does not exist \[code=42P01]$/);
  });

  it('finds the view empty by an older snapshot where nobody waited for it, under REPEATABLE READ alone (I3)', async () => {
    await owner.query(tables(1));
    await swapTo(1);
    const pool = await readersOf({ short: 1, long: 1 });
    await moreReads(pool, 20);
    for (let day = 2; (await pool.progress()).violations === 0 && day < 28; day += 1) {
      await owner.query(tables(day));
      await swapTo(day);
      await sleep(100);
    }

    const { counts, total } = await pool.report();

    expect(total).toMatchObject({ failed: 0, stale: 0 });
    expect(counts['repeatable read'].long.empty + counts['repeatable read'].short.empty).toBeGreaterThan(0);
    expect(counts['read committed']).toMatchObject({ short: { empty: 0, mixed: 0 }, long: { empty: 0, mixed: 0 } });
  });

  it('finds an earlier night stale, unless it was told to expect one (I3, I6)', async () => {
    await owner.query(tables(1) + tables(2));
    await swapTo(2);
    const pool = await readersOf();
    await moreReads(pool);
    await pool.expectEarlierNights(() => swapTo(1));
    await moreReads(pool);
    await swapTo(2);
    await moreReads(pool);
    const expected = await pool.progress();
    await swapTo(1);
    await until(pool, ({ violations }) => violations > 0);

    const { total, violations } = await pool.report();

    expect(expected.violations).toBe(0);
    expect(total).toMatchObject({ failed: 0, empty: 0, mixed: 0 });
    expect(total.stale).toBeGreaterThan(0);
    expect(violations[0]?.saw).toMatch(new RegExp(`${nightOf(1)}; after ${nightOf(2)} was seen$`));
  });

  it('fails when somebody ends its connections while the server runs (I3)', async () => {
    await owner.query(tables(1));
    await swapTo(1);
    const pool = await readersOf();
    await moreReads(pool);
    const admin = await connect('postgres');
    await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where usename = 'meridian_reader'`);
    await admin.end();
    await moreReads(pool);

    const { total } = await pool.report();

    expect(total).toMatchObject({ empty: 0, mixed: 0, stale: 0, failedWhileDown: 0 });
    expect(total.failed).toBeGreaterThan(0);
  });

  it.each([
    ['is stopped and started again', 5, () => stopProcess(home, POSTGRES)],
    // It is back by itself: only reads of that moment fail.
    ['ends all its processes after one of them was killed', 1, crash],
  ])('reads on when the server %s, and counts that apart', async (_, failures, goDown) => {
    await owner.query(tables(1) + tables(2));
    await swapTo(1);
    const pool = await readersOf();
    await moreReads(pool);
    await goDown();
    const down = await until(pool, ({ failedWhileDown }) => failedWhileDown >= failures);
    await start();
    owner = await connect('meridian');
    await swapTo(2);
    await moreReads(pool);

    const report = await pool.report();

    expect(report.violations).toEqual([]);
    expect(report.total).toMatchObject({ failed: 0, empty: 0, mixed: 0, stale: 0, nightsSeen: 2 });
    expect(report.failedWhileDown).toBeGreaterThanOrEqual(down.failedWhileDown);
  });

  it('knows by the server that a crash ended its connections, when it has recovered before the next read', async () => {
    await owner.query(tables(1));
    await swapTo(1);
    const pool = await readersOf({ short: 5, readsPerSecond: 0.4 });
    await until(pool, ({ reads }) => reads >= 10);
    await crash();
    await moreReads(pool, 10);

    const { total, failedWhileDown } = await pool.report();

    expect(total).toMatchObject({ failed: 0, empty: 0, mixed: 0, stale: 0 });
    expect(failedWhileDown).toBeGreaterThan(0);
  });

  it('refuses a database that it cannot reach, and one that ended says so', async () => {
    await expect(startReaders({ connection: { ...configOf('meridian_reader'), password: 'wrong' }, pipeline })).rejects.toThrow('password authentication failed');
    const pool = await readersOf();
    pool.abandon();
    await expect(pool.report()).rejects.toThrow(/readers' process (ended too early|is gone|could not be asked)/);
  });
});

/**
 * The death of one backend makes the server end all connections and recover, in the same main process. Comes back when it has
 * recovered: the one that answers before it has noticed the death is still to go down.
 */
async function crash(): Promise<void> {
  const before = await serverIdentity(owner);
  const { rows } = await owner.query<{ pid: number }>('select pg_backend_pid() as pid');
  if (rows[0] !== undefined) process.kill(rows[0].pid, 'SIGKILL');
  for (const deadline = Date.now() + 60_000; ; await sleep(20)) {
    const now = await identityOfAnyServer();
    if (now !== undefined && now !== before) return;
    if (Date.now() > deadline) throw new Error(`The server did not recover within a minute: its identity was ${before}, is ${now ?? 'not to be had'}`);
  }
}

async function identityOfAnyServer(): Promise<string | undefined> {
  try {
    const client = await connect('postgres');
    return await serverIdentity(client).finally(() => client.end().catch(() => undefined));
  } catch (error) {
    if (serverStateBy(error) === 'up') throw error;
    return undefined;
  }
}
