import { Client } from 'pg';
import { FailureType } from '../../domain/failure-type';
import type { RollbackRequest } from '../../domain/rollback';
import { openDatabase } from '../../sql/database';
import { findHold, listPromotions } from '../../sql/queries/promotions';
import { createTestDatabase, startTestServer, type TestDatabase, type TestServer } from '../support/postgres';
import { newTally, readOn } from './both-views';
import { cutOnce } from './cut-once';
import { createActivities, loadNight, nightEnding, promoteNight, run, spec, type TestActivities } from './fixture';
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
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()));
  await test.stop();
});
afterAll(async () => {
  await Promise.all([server.stop(), store.stop()]);
});

const nextNight = () => {
  day += 1;
  return loadNight(test, activities, store.s3, nightEnding(day), { night: `${day}`, rows: 100 + day });
};
async function promoted(nights: number): Promise<void> {
  for (let n = 0; n < nights; n += 1) await promoteNight(activities, await nextNight());
}
async function connect(): Promise<Client> {
  const client = new Client(test.config);
  client.on('error', () => undefined);
  clients.push(client);
  await client.connect();
  return client;
}
const request = (more: Partial<RollbackRequest> = {}): RollbackRequest => ({ pipeline: spec.name, by: 'ada', reason: 'wrong data', ...more });

let requests = 0;
async function rollBack(more: Partial<RollbackRequest> = {}, by: TestActivities = activities, requestId = `run-${(requests += 1)}`) {
  const plan = await run(by.planRollback, { spec, request: request(more) });
  await run(by.awaitOlderReaders, { spec, plan });
  return await run(by.rollback, { spec, plan, request: request(more), requestId });
}
async function refusal(of: Promise<unknown>): Promise<{ readonly type: string; readonly message: string }> {
  const error = (await of.catch((thrown: unknown) => thrown)) as { readonly type: string; readonly message: string };
  return { type: error.type, message: error.message };
}
async function served(): Promise<readonly unknown[]> {
  return (await test.pool.query<object>('select p.night, count(*)::int as rows, t.records::int from vw_places p, vw_totals t group by p.night, t.records')).rows;
}
const night = (n: number) => [{ night: `${n}`, rows: 100 + n, records: 100 + n }];

describe('a rollback', () => {
  it('serves the version before at once, of all relations together, and is on record with who and why (X3, I6)', async () => {
    await promoted(3);

    const report = await rollBack();

    expect(await served()).toEqual(night(2));
    expect(report).toMatchObject({ sequence: 4, held: true, attempts: 1, plan: { latest: 3, restored: 2, cycle: { intervalEnd: nightEnding(2) } } });
    expect((await listPromotions(test.db, spec.name))[0]).toMatchObject({
      sequence: 4,
      kind: 'rollback',
      relations: { places: 2, totals: 2 },
      promotedBy: 'ada',
      metadata: { rolledBackBy: 'ada', rollbackReason: 'wrong data', from: 3, restored: 2 },
    });
    const { rows } = await test.pool.query<{ comment: string }>(`select obj_description('vw_totals'::regclass) as comment`);
    expect(JSON.parse(rows[0]?.comment ?? '')).toMatchObject({ version: 2, sequence: 4, rolledBackBy: 'ada', rollbackReason: 'wrong data' });
  });

  it('goes back another version when it is repeated, and forth again only by number (X3)', async () => {
    await promoted(3);

    await rollBack();
    await rollBack();
    expect(await served()).toEqual(night(1));
    expect(await refusal(rollBack())).toMatchObject({ type: FailureType.RollbackRefused, message: expect.stringMatching(/no version of "places" before 1 is kept; kept are 3, 2/) as string });

    await rollBack({ relation: 'totals', to: 3 });
    expect(await served()).toEqual(night(3));
    expect((await listPromotions(test.db, spec.name)).map(({ sequence, kind }) => `${sequence} ${kind}`)).toEqual(['6 rollback', '5 rollback', '4 rollback', '3 cycle', '2 cycle', '1 cycle']);
  });

  it.each([
    ['a version that was dropped', { to: 1 }, /version 1 of "places" is dropped, expected one that was served and is kept; kept are 3, 2/],
    ['what is served', { to: 4 }, /version 4 of "places" is what is served/],
    ['a version that never was', { to: 17 }, /version 17 of "places" was never made/],
    ['an unknown relation', { relation: 'planets' }, /no relation "planets", only places, totals/],
    ['nobody in particular', { by: ' ' }, /by: expected 1 to 100 characters/],
  ] as const)('to or by %s is refused by name, and nothing changes', async (_what, asked, message) => {
    await promoted(4);
    await run(activities.retireVersions, { spec });

    expect(await refusal(rollBack(asked))).toMatchObject({ type: FailureType.RollbackRefused, message: expect.stringMatching(message) as string });

    expect(await served()).toEqual(night(4));
    expect(await findHold(test.db, spec.name)).toBeUndefined();
  });

  it('to a table that lacks a column of the view is refused with the difference (S0.16)', async () => {
    await promoted(2);
    await test.pool.query(`update meridian.version set columns = columns - 1 where relation = 'totals' and version = 1`);

    expect((await refusal(rollBack())).message).toMatch(/the view "vw_totals" cannot take the columns of totals_v1:\n- records bigint/);
    expect(await served()).toEqual(night(2));
  });

  it('waits for readers that began before its tables were loaded, and for no others (I3)', async () => {
    await promoted(2);
    const reader = await connect();
    await reader.query('begin isolation level repeatable read; select 1');
    expect(await rollBack()).toMatchObject({ sequence: 3 });
    await reader.query('commit');

    await rollBack({ to: 2 });
    const early = await connect();
    await early.query('begin isolation level repeatable read; select 1');
    await test.pool.query('update meridian.version set loaded_at = clock_timestamp() where version = 1');
    const plan = await run(activities.planRollback, { spec, request: request() });
    const impatient = { ...spec, promotion: { ...spec.promotion, snapshotWaitMinutes: 0 } };

    expect(await refusal(run(activities.awaitOlderReaders, { spec: impatient, plan }))).toMatchObject({ type: FailureType.RollbackRefused, message: expect.stringMatching(/would see them empty: end pid \d+/) as string });
  });

  it.each(['before the swap', 'after the commit'] as const)('whose connection broke %s is made once (S0.15)', async (when) => {
    await promoted(2);
    const proxy = await cutOnce(test.config, 'meridian.rollback', when);
    const through = openDatabase({ ...test.config, port: proxy.port });

    const report = await rollBack({}, createActivities({ ...test, ...through }, store.s3));

    await through.close();
    proxy.close();
    expect([proxy.cuts(), report.attempts, report.sequence]).toEqual([1, 2, 3]);
    expect(await listPromotions(test.db, spec.name)).toHaveLength(3);
    expect(await served()).toEqual(night(1));
  });

  it('and a promotion at the same moment: one comes first, the other is told so, and the views are whole (I6)', async () => {
    await promoted(2);
    const next = await nextNight();
    const plan = await run(activities.planRollback, { spec, request: request() });
    const promote = () => run(activities.promote, { cycle: next.cycle, spec, versions: next.versions, epoch: next.epoch, metadata: {} });

    const [rolledBack, promotion] = await Promise.allSettled([run(activities.rollback, { spec, plan, request: request(), requestId: 'race' }), promote()]);

    const ledger = await listPromotions(test.db, spec.name);
    expect(ledger).toHaveLength(3);
    if (ledger[0]?.kind === 'rollback') {
      expect(rolledBack.status).toBe('fulfilled');
      expect(promotion).toMatchObject({ status: 'fulfilled', value: { outcome: 'blocked', held: true } });
      expect(await served()).toEqual(night(1));
    } else {
      expect(promotion).toMatchObject({ status: 'fulfilled', value: { outcome: 'promoted' } });
      expect(rolledBack).toMatchObject({ status: 'rejected', reason: { type: FailureType.RollbackRefused } });
      expect(await served()).toEqual(night(3));
    }
  });
});

describe('cycles after a rollback', () => {
  it('end blocked with their candidate kept until somebody says to go on; who and when is on record (X3)', async () => {
    await promoted(2);
    await rollBack();
    const next = await nextNight();
    const promote = () => run(activities.promote, { cycle: next.cycle, spec, versions: next.versions, epoch: next.epoch, metadata: {} });

    expect(await promote()).toMatchObject({ outcome: 'blocked', held: true, reason: expect.stringMatching(/rolled back by ada at .* UTC: wrong data; `meridian rollback \S+ --continue`/) as string });
    expect(await served()).toEqual(night(1));
    expect(await run(activities.releaseHold, { pipeline: spec.name, by: 'grace' })).toEqual({ released: true });
    expect(await run(activities.releaseHold, { pipeline: spec.name, by: 'grace' })).toEqual({ released: false });

    expect(await promote()).toMatchObject({ outcome: 'promoted', sequence: 4 });
    expect(await served()).toEqual(night(3));
    const { rows } = await test.pool.query('select placed_by, released_by from meridian.promotion_hold');
    expect(rows).toEqual([{ placed_by: 'ada', released_by: 'grace' }]);
  });

  it('may promote over it where that was asked for, but not what was made before it (I6)', async () => {
    await promoted(2);
    const before = await nextNight();
    await rollBack({ hold: false });

    const promote = run(activities.promote, { cycle: before.cycle, spec, versions: before.versions, epoch: before.epoch, metadata: {} });
    expect(await refusal(promote)).toMatchObject({ type: FailureType.PromotionSuperseded });
    await run(activities.releaseTurn, { cycle: before.cycle, epoch: before.epoch });
    await promoted(1);

    expect(await served()).toEqual(night(4));
  });

  it('keep the version that was rolled back from among those that are kept (X3)', async () => {
    await promoted(3);
    await rollBack({ hold: false });
    await promoted(1);
    await run(activities.retireVersions, { spec });

    await rollBack({ to: 3 });

    expect(await served()).toEqual(night(3));
  });
});

describe('readers during rollbacks', () => {
  it('see one whole version each: none empty, failed or mixed, REPEATABLE READ included (S0.10, I3, X2)', async () => {
    await promoted(3);
    const tally = newTally();
    const stop = new AbortController();
    const readers = (['read committed', 'repeatable read'] as const).flatMap((isolation) =>
      Array.from({ length: 3 }, async () => readOn(await connect(), tally, stop.signal, isolation)),
    );

    for (let n = 0; n < 10; n += 1) await rollBack({ to: (n % 3) + 1, relation: 'places' }).catch((error: unknown) => expect(error).toMatchObject({ type: FailureType.RollbackRefused }));
    stop.abort();
    await Promise.all(readers);

    expect(tally).toMatchObject({ failed: 0, empty: 0, mixed: 0 });
    expect(tally.reads).toBeGreaterThan(20);
    expect(tally.nights.size).toBe(3);
  });
});
