import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type ClientConfig } from 'pg';
import { FailureType } from '../../domain/failure-type';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { onClient, openDatabase } from '../../sql/database';
import { markTransaction } from '../../sql/queries/backends';
import { createTestDatabase, startTestServer, type TestDatabase, type TestServer } from '../support/postgres';
import { newTally, readOn } from './both-views';
import { activityEnvironment, createActivities, loadNight, type LoadedNight, nightEnding, promoteNight, run, spec, type TestActivities } from './fixture';
import { type ObjectStore, startObjectStore } from './object-store';

let server: TestServer;
let test: TestDatabase;
let store: ObjectStore;
let activities: TestActivities;
let day = 0;
const clients: Client[] = [];

beforeAll(async () => {
  [server, store] = await Promise.all([startTestServer(), startObjectStore()]);
});
beforeEach(async () => {
  day = 0;
  test = await createTestDatabase(server);
  activities = createActivities(test, store.s3);
  await promoteNight(activities, await nextNight());
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()));
  await test.stop();
});
afterAll(async () => {
  await Promise.all([server.stop(), store.stop()]);
});

/** Each night has a number of rows of its own: a reader knows by it what it ought to see. */
const nextNight = () => {
  day += 1;
  return loadNight(test, activities, store.s3, nightEnding(day), { night: `${day}`, rows: 100 + day });
};
const withPatience = (snapshotWaitMinutes: number): PipelineSpec => ({ ...spec, promotion: { ...spec.promotion, snapshotWaitMinutes } });
const promotionOf = (night: LoadedNight, of: PipelineSpec = spec) => ({ cycle: night.cycle, versions: night.versions, epoch: night.epoch, spec: of, metadata: {} });

async function connect(config: ClientConfig = test.config): Promise<Client> {
  const client = new Client(config);
  clients.push(client);
  await client.connect();
  return client;
}

describe('readers during promotions', () => {
  it('see one whole version each: none empty, failed or mixed, REPEATABLE READ included (S0.10, I3, X2)', async () => {
    const tally = newTally();
    const stop = new AbortController();
    const readers = (['read committed', 'repeatable read'] as const).flatMap((isolation) =>
      Array.from({ length: 4 }, async () => readOn(await connect(), tally, stop.signal, isolation)),
    );

    for (let n = 0; n < 8; n += 1) {
      const night = await nextNight();
      expect(await run(activities.awaitSnapshots, promotionOf(night))).toMatchObject({ outcome: 'clear' });
      await run(activities.vacuumCandidates, promotionOf(night));
      await promoteNight(activities, night);
      await run(activities.retireVersions, { spec });
    }
    stop.abort();
    await Promise.all(readers);

    expect(tally).toMatchObject({ failed: 0, empty: 0, mixed: 0 });
    expect(tally.reads).toBeGreaterThan(50);
    expect(tally.nights.size).toBeGreaterThan(3);
  });

  it('with an older snapshot would find the view empty if nobody waited for them, and do not since somebody does', async () => {
    const reader = await connect();
    const older = async () => {
      await reader.query('begin isolation level repeatable read');
      await reader.query('select 1');
    };
    const placesSeen = async () => (await reader.query<{ n: number }>('select count(*)::int as n from vw_places')).rows[0]?.n;

    await older();
    const unsafe = await nextNight();
    await promoteNight(activities, unsafe);
    const withoutWait = await placesSeen();
    await reader.query('commit');

    await older();
    const night = await nextNight();
    let waited = false;
    const waiting = run(activities.awaitSnapshots, promotionOf(night)).then((result) => {
      waited = true;
      return result;
    });
    await sleep(300);
    const waitedTooShort = waited;
    const withWait = await placesSeen();
    await reader.query('commit');
    const result = await waiting;
    await promoteNight(activities, night);

    expect(withoutWait).toBe(0);
    expect(withWait).toBe(102);
    expect([waitedTooShort, result.outcome]).toEqual([false, 'clear']);
    expect(await placesSeen()).toBe(103);
  });

  it('of one view are served while another view is locked against the promotion (X2)', async () => {
    const night = await nextNight();
    const holder = await connect();
    await holder.query('begin; select * from vw_totals');
    const reader = await connect();
    await reader.query(`set statement_timeout = '5s'`);
    const promoting = run(activities.promote, promotionOf(night, { ...spec, promotion: { ...spec.promotion, swapWaitMinutes: 0.03 } }));
    let blocked = false;
    void promoting.then(() => (blocked = true));

    const reads: unknown[] = [];
    while (!blocked) reads.push((await reader.query('select count(*)::int as n from vw_places')).rows[0]);

    expect(await promoting).toMatchObject({ outcome: 'blocked' });
    expect(reads.length).toBeGreaterThan(3);
    expect(new Set(reads.map((row) => JSON.stringify(row)))).toEqual(new Set(['{"n":101}']));
  });
});

describe('the snapshot wait', () => {
  it('ends blocked, naming who holds the snapshot and never what they asked', async () => {
    const night = await nextNight();
    const reader = await connect({ ...test.config, application_name: 'nightly-report' });
    await reader.query(`begin isolation level repeatable read; select 'a secret'`);

    const result = await run(activities.awaitSnapshots, promotionOf(night, withPatience(0.01)));

    expect(result).toMatchObject({
      outcome: 'blocked',
      blockedBy: [expect.stringMatching(/^pid \d+ \(role meridian, application "nightly-report", in transaction since /)],
    });
    expect(JSON.stringify(result)).not.toContain('secret');
  });

  it('does not wait for snapshots that were taken after it began, nor for transactions without one', async () => {
    const night = await nextNight();
    const [older, idle] = [await connect(), await connect()];
    await older.query('begin isolation level repeatable read; select 1');
    await idle.query('begin; select 1');
    const environment = activityEnvironment();
    const seen = new Promise<void>((resolve) => environment.on('heartbeat', () => resolve()));
    const waiting = run(activities.awaitSnapshots, promotionOf(night), environment);
    await seen;
    const newer = await connect();
    await newer.query('begin isolation level repeatable read; select 1');

    await older.query('commit');

    expect(await waiting).toMatchObject({ outcome: 'clear' });
  });

  it('goes on with the same transactions when its activity is tried again', async () => {
    const night = await nextNight();
    const older = await connect();
    await older.query('begin isolation level repeatable read; select 1');
    const first = activityEnvironment();
    const details = new Promise<unknown>((resolve) => first.on('heartbeat', (beat: unknown) => resolve(beat)));
    const lost = run(activities.awaitSnapshots, promotionOf(night), first).catch((error: Error) => error.name);
    const heartbeatDetails = await details;
    first.cancel();
    const newer = await connect();
    await newer.query('begin isolation level repeatable read; select 1');

    const retried = run(activities.awaitSnapshots, promotionOf(night), activityEnvironment({ heartbeatDetails }));
    await older.query('commit');

    expect(await lost).toBe('CancelledFailure');
    expect(await retried).toMatchObject({ outcome: 'clear' });
  });

  it('does not wait for the index of another candidate, which reads no view', async () => {
    const night = await nextNight();
    const indexing = await connect();
    await indexing.query('begin isolation level repeatable read');
    await markTransaction(onClient(indexing));
    await indexing.query('select 1');

    expect(await run(activities.awaitSnapshots, promotionOf(night, withPatience(0.02)))).toMatchObject({ outcome: 'clear' });
    await indexing.query('commit; begin isolation level repeatable read; select 1');
    expect(await run(activities.awaitSnapshots, promotionOf(night, withPatience(0.02)))).toMatchObject({ outcome: 'blocked' });
  });

  it('does not wait for transactions of other databases', async () => {
    const night = await nextNight();
    const elsewhere = await connect(server.config('postgres', 'meridian'));
    await elsewhere.query('begin isolation level repeatable read; select txid_current()');

    expect(await run(activities.awaitSnapshots, promotionOf(night, withPatience(0.02)))).toMatchObject({ outcome: 'clear' });
  });

  it('refuses a role that is not shown the transactions of others', async () => {
    const night = await nextNight();
    const blind = openDatabase(test.configOf('meridian_reader'));

    await expect(run(createActivities({ ...test, ...blind }, store.s3).awaitSnapshots, promotionOf(night))).rejects.toMatchObject({
      type: FailureType.DatabasePrivilegeMissing,
      nonRetryable: true,
    });
    await blind.close();
  });

  it('lets the vacuum after it mark every page as visible to all', async () => {
    const night = await nextNight();
    await run(activities.awaitSnapshots, promotionOf(night));

    await run(activities.vacuumCandidates, promotionOf(night));

    const { rows } = await test.pool.query(`select relname, relallvisible = relpages as whole, relpages > 0 as any from pg_class where relname = 'places_v2'`);
    expect(rows).toEqual([{ relname: 'places_v2', whole: true, any: true }]);
  });
});
