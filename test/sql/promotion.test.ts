import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type ClientConfig } from 'pg';
import { FailureType } from '../../domain/failure-type';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { openDatabase } from '../../sql/database';
import { listVersions } from '../../sql/queries/versions';
import { cutOnce } from './cut-once';
import { createTestDatabase, startTestServer, type TestDatabase, type TestServer } from '../support/postgres';
import {
  activityEnvironment,
  createActivities,
  loadNight,
  type LoadedNight,
  nightEnding,
  openNight,
  positions,
  promoteNight,
  putJobOutput,
  putPart,
  run,
  spec,
  type TestActivities,
} from './fixture';
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
  activities = createActivities(test, store.s3, async () => true);
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()));
  await test.stop();
});
afterAll(async () => {
  await Promise.all([server.stop(), store.stop()]);
});

const nextNight = (output: Parameters<typeof loadNight>[4] = {}) => loadNight(test, activities, store.s3, nightEnding(++day), output);
const promotionOf = ({ cycle, epoch, versions }: LoadedNight, patience: Partial<PipelineSpec['promotion']> = {}) => ({
  cycle,
  epoch,
  versions,
  spec: { ...spec, promotion: { ...spec.promotion, ...patience } },
  metadata: { jobRunId: 'job-1' },
});

async function connect(config: ClientConfig = test.config): Promise<Client> {
  const client = new Client(config);
  client.on('error', () => undefined);
  clients.push(client);
  await client.connect();
  return client;
}

async function served(): Promise<{ readonly nights: readonly string[]; readonly rows: number; readonly totals: readonly unknown[] }> {
  const places = await test.pool.query<{ night: string; rows: number }>('select night, count(*) as rows from vw_places group by night');
  const totals = await test.pool.query('select night, records from vw_totals');
  return { nights: places.rows.map((row) => row.night), rows: places.rows.reduce((sum, row) => sum + row.rows, 0), totals: totals.rows };
}

async function ledger() {
  const { rows } = await test.pool.query('select sequence, kind, relations, generation from meridian.promotion order by sequence');
  return rows as readonly { readonly sequence: number; readonly relations: unknown }[];
}

describe('a promotion', () => {
  it('points every view of the pipeline at its new version, and writes who, what and when (S0.6–S0.8, I6)', async () => {
    const first = await nextNight({ rows: 100, night: 'one' });
    const result = await promoteNight(activities, first);

    expect(result).toMatchObject({ outcome: 'promoted', sequence: 1, attempts: 1 });
    expect(await served()).toEqual({ nights: ['one'], rows: 100, totals: [{ night: 'one', records: 100 }] });
    expect(await ledger()).toEqual([{ sequence: 1, kind: 'cycle', relations: { places: 1, totals: 1 }, generation: 1 }]);
    const { rows } = await test.pool.query<{ comment: string }>(`select obj_description('vw_places'::regclass) as comment`);
    expect(JSON.parse(rows[0]?.comment ?? '')).toMatchObject({
      relation: 'places',
      version: 1,
      table: 'places_v1',
      pipeline: 'places',
      generation: 1,
      sequence: 1,
      jobRunId: 'job-1',
    });
    const reader = await connect(test.configOf('meridian_reader'));
    expect((await reader.query('select count(*) from vw_places')).rows).toEqual([{ count: '100' }]);
    await expect(reader.query('select * from places_v1')).rejects.toMatchObject({ code: '42501' });
  });

  it('keeps the view\'s options, grants and dependents (S0.7)', async () => {
    await promoteNight(activities, await nextNight({ night: 'one' }));
    await test.pool.query('alter view vw_places set (security_barrier = true)');
    await test.pool.query('grant select on vw_places to public');
    await test.pool.query('create view public.on_top as select count(*) as rows from vw_places');

    await promoteNight(activities, await nextNight({ night: 'two', rows: 7 }));

    const { rows } = await test.pool.query(`select reloptions, has_table_privilege('public', oid, 'select') as public from pg_class where relname = 'vw_places'`);
    expect(rows).toEqual([{ reloptions: ['security_barrier=true'], public: true }]);
    expect((await test.pool.query('select rows from public.on_top')).rows).toEqual([{ rows: 7 }]);
  });

  it('is made once by two attempts at once and a retry after it (I6)', async () => {
    const night = await nextNight();

    const both = await Promise.all([run(activities.promote, promotionOf(night)), run(activities.promote, promotionOf(night))]);
    await run(activities.closeCycle, { cycle: night.cycle, outcome: 'promoted', detail: '', counts: {} });
    await run(activities.releaseTurn, night);
    const late = await run(activities.promote, promotionOf(night));

    expect([...both, late].map((result) => (result.outcome === 'promoted' ? result.sequence : 0))).toEqual([1, 1, 1]);
    expect(await ledger()).toHaveLength(1);
  });

  it('is refused when another one came first, and the views stay (I6)', async () => {
    const night = await nextNight({ night: 'late' });
    await test.pool.query(`
      insert into meridian.promotion (pipeline, sequence, kind, interval_end, generation, relations, epoch, promoted_by, promoted_at, metadata)
      select 'places', 1, 'rollback', interval_end, generation, '{}', 0, 'a person', now(), '{}' from meridian.cycle`);

    await expect(run(activities.promote, promotionOf(night))).rejects.toMatchObject({ type: FailureType.PromotionSuperseded, nonRetryable: true });

    expect((await test.pool.query(`select 1 from pg_class where relname = 'vw_places'`)).rows).toEqual([]);
    expect((await listVersions(test.db, 'places')).map((version) => version.state)).toEqual(['loaded']);
  });

  it('is refused to a holder whose turn was taken over, or was released', async () => {
    const late = await nextNight({ night: 'late' });
    await openNight(activities, nightEnding(28));
    const takenOver = run(activities.promote, promotionOf(late));
    await expect(takenOver).rejects.toMatchObject({ type: FailureType.TurnLost, nonRetryable: true });

    const released = await nextNight({ night: 'released' });
    await run(activities.releaseTurn, released);
    await expect(run(activities.promote, promotionOf(released))).rejects.toMatchObject({ type: FailureType.TurnLost, nonRetryable: true });

    expect(await ledger()).toEqual([]);
  });

  it('never comes after its generation was given up: what was read as not promoted stays so', async () => {
    const night = await nextNight();

    const before = await run(activities.settlePromotion, { cycle: night.cycle });

    await expect(run(activities.promote, promotionOf(night))).rejects.toMatchObject({ type: FailureType.TurnLost });
    expect(before).toBeUndefined();
    expect(await run(activities.settlePromotion, { cycle: night.cycle })).toBeUndefined();
  });

  it('is found in the ledger by whoever reads it', async () => {
    const night = await nextNight();
    await run(activities.promote, promotionOf(night));

    expect(await run(activities.settlePromotion, { cycle: night.cycle })).toMatchObject({ sequence: 1, relations: { places: 1, totals: 1 } });
  });

  it('takes only candidates that were proved (I4)', async () => {
    const opened = await openNight(activities, nightEnding(++day));
    const manifest = await putJobOutput(test, store.s3, opened.cycle, { rows: 5, night: 'x' });
    const versions = [];
    for (const { name: relation } of spec.relations) {
      versions.push({ relation, version: (await run(activities.createCandidate, { ...opened, spec, relation, manifest })).version });
    }

    await expect(run(activities.promote, promotionOf({ ...opened, versions }))).rejects.toMatchObject({
      type: FailureType.CandidateGone,
      message: expect.stringContaining('places version 1 is loading') as string,
    });
    await expect(run(activities.promote, promotionOf({ ...opened, versions: versions.slice(1) }))).rejects.toMatchObject({
      type: FailureType.InvalidPipeline,
    });
  });
});

describe('names', () => {
  it('that look like SQL are data, from the candidate to the view, should the validation ever let them through', async () => {
    const odd = 'odd"; drop table meridian.cycle; --';
    const named: PipelineSpec = {
      ...spec,
      relations: [
        {
          name: odd,
          view: `vw ${odd}`,
          columns: [{ name: `a ${odd}`, type: 'bigint' }],
          key: [`a ${odd}`],
          indexes: [{ columns: [`a ${odd}`], method: 'btree' }],
          mayBeEmpty: false,
        },
      ],
    };
    const opened = await openNight(activities, nightEnding(++day));
    const { cycle, epoch } = opened;
    const part = await putPart(test, store.s3, 'odd', 2, 'select i::bigint from generate_series(1, 2) i');
    const manifest = await putJobOutput(test, store.s3, cycle, {
      rows: 1,
      night: odd.replaceAll("'", ''),
      edit: (document) => ({
        ...document,
        relations: named.relations.map((relation) => ({ ...relation, rows: 2, parquetUri: '', copyParts: [part] })),
      }),
    });
    const input = { cycle, spec: named, relation: odd, manifest };

    const { version } = await run(activities.createCandidate, { ...input, epoch });
    await run(activities.loadRelation, { ...input, version });
    await run(activities.finishCandidate, { ...input, version });
    const versions = [{ relation: odd, version }];
    await run(activities.vacuumCandidates, { cycle, spec: named, versions });
    await run(activities.promote, { cycle, spec: named, versions, epoch, metadata: { "it's": odd } });

    const { rows } = await test.pool.query(`select count(*) as rows from "vw odd""; drop table meridian.cycle; --"`);
    expect(rows).toEqual([{ rows: 2 }]);
    expect(await ledger()).toHaveLength(1);
  });
});

describe('a promotion behind a reader', () => {
  it('gives up each try after 200 ms, ends blocked when they last, and succeeds once they have ended (S0.16, X2)', async () => {
    await promoteNight(activities, await nextNight({ night: 'one' }));
    const night = await nextNight({ night: 'two' });
    const reader = await connect();
    await reader.query('begin; select count(*) from vw_totals');
    const beats: { readonly attempts: number }[] = [];
    const environment = activityEnvironment();
    environment.on('heartbeat', (details: { attempts: number }) => beats.push(details));

    const blocked = await run(activities.promote, promotionOf(night, { swapWaitMinutes: 0.02 }), environment);
    expect(blocked).toMatchObject({ outcome: 'blocked', reason: expect.stringContaining('200ms') as string });
    expect(await served()).toMatchObject({ nights: ['one'], totals: [{ night: 'one' }] });
    expect((await listVersions(test.db, 'places')).map((version) => version.state)).toEqual(['loaded', 'promoted']);

    const promoting = run(activities.promote, promotionOf(night), environment);
    const before = beats.length;
    while (beats.length < before + 3) await sleep(20);
    await reader.query('commit');

    expect(await promoting).toMatchObject({ outcome: 'promoted', sequence: 2 });
    expect(await served()).toMatchObject({ nights: ['two'], totals: [{ night: 'two' }] });
  });

  it('counts the tries and the time of earlier attempts of the activity', async () => {
    await promoteNight(activities, await nextNight({ night: 'one' }));
    const night = await nextNight({ night: 'two' });
    const reader = await connect();
    await reader.query('begin; select count(*) from vw_totals');
    const resumed = activityEnvironment({ heartbeatDetails: { sinceMs: Date.now() - 3_600_000, attempts: 40 } });

    expect(await run(activities.promote, promotionOf(night), resumed)).toMatchObject({ outcome: 'blocked', attempts: 41 });
  });

  it('stops trying when it is cancelled', async () => {
    await promoteNight(activities, await nextNight({ night: 'one' }));
    const night = await nextNight({ night: 'two' });
    const reader = await connect();
    await reader.query('begin; select count(*) from vw_totals');
    const environment = activityEnvironment();
    environment.on('heartbeat', ({ attempts }: { attempts: number }) => attempts === 2 && environment.cancel());

    await expect(run(activities.promote, promotionOf(night), environment)).rejects.toMatchObject({ name: 'CancelledFailure' });
    expect(await ledger()).toHaveLength(1);
  });
});

describe('a promotion whose connection breaks', () => {
  it.each(['before the swap', 'after the commit'] as const)('is made once, whether it broke %s or not (S0.15)', async (when) => {
    const night = await nextNight();
    const proxy = await cutOnce(test.config, 'meridian.promote', when);
    const through = openDatabase({ ...test.config, port: proxy.port });
    const cut = createActivities({ ...test, ...through }, store.s3);

    const result = await run(cut.promote, promotionOf(night));

    await through.close();
    proxy.close();
    expect(proxy.cuts()).toBe(1);
    expect(result).toMatchObject({ outcome: 'promoted', sequence: 1, attempts: 2 });
    expect(await ledger()).toHaveLength(1);
    expect(await served()).toMatchObject({ rows: 100 });
  });

  it('goes on after its backend was terminated while it waited for a lock', async () => {
    await promoteNight(activities, await nextNight({ night: 'one' }));
    const night = await nextNight({ night: 'two' });
    const reader = await connect();
    await reader.query('begin; select count(*) from vw_totals');
    const promoting = run(activities.promote, promotionOf(night));
    let terminated = 0;
    while (terminated === 0) {
      const { rows } = await test.pool.query(`
        select pg_terminate_backend(pid) from pg_stat_activity
         where query ~ 'meridian.promote' and wait_event_type = 'Lock' and datname = current_database() and pid <> pg_backend_pid()`);
      terminated = rows.length;
    }
    await reader.query('commit');

    expect(await promoting).toMatchObject({ outcome: 'promoted', sequence: 2 });
    expect(await served()).toMatchObject({ nights: ['two'] });
  });
});

describe('columns', () => {
  const withColumns = (columns: PipelineSpec['relations'][number]['columns']): PipelineSpec => ({
    ...spec,
    relations: spec.relations.map((relation) => (relation.name === 'places' ? { ...relation, columns } : relation)),
  });

  it('that a view cannot take are refused before anything is made, with the difference (S0.16)', async () => {
    await promoteNight(activities, await nextNight({ night: 'one' }));
    const [id, seenAt, geom, night] = positions.columns;
    const changed = withColumns([id, { ...seenAt, type: 'date' }, night, { name: 'place', type: geom.type }]);
    const opened = await openNight(activities, nightEnding(++day));
    const manifest = await putJobOutput(test, store.s3, opened.cycle, {
      rows: 1,
      night: 'x',
      edit: (document) => ({
        ...document,
        relations: document.relations.map((relation) => ({ ...relation, columns: changed.relations[0]?.columns ?? [] })),
      }),
    });

    const refused = run(activities.createCandidate, { ...opened, spec: changed, relation: 'places', manifest });

    await expect(refused).rejects.toMatchObject({ type: FailureType.IncompatibleColumns, nonRetryable: true });
    const message = await refused.then(() => '', (error: Error) => error.message);
    expect(message.split('\n').slice(1)).toEqual([
      '~ seen_at: timestamp with time zone became date',
      '- geom geometry(Point,4326)',
      '~ night: column 4 became column 3',
    ]);
    expect((await listVersions(test.db, 'places')).map((version) => version.version)).toEqual([1]);
  });

  it('that are appended are taken, and a statement prepared before goes on (S0.10)', async () => {
    await promoteNight(activities, await nextNight({ night: 'one', rows: 3 }));
    const reader = await connect();
    const read = { name: 'places', text: 'select id, night from vw_places order by id limit 1' };
    await reader.query(read);
    const appended = withColumns([...positions.columns, { name: 'speed', type: 'double precision' }]);
    const opened = await openNight(activities, nightEnding(++day));
    const { cycle, epoch } = opened;
    const manifest = await putJobOutput(test, store.s3, cycle, {
      rows: 0,
      parts: 1,
      night: 'two',
      edit: (document) => ({
        ...document,
        relations: document.relations.map((relation) => ({
          ...relation,
          ...(relation.name === 'places' ? { rows: 0, copyParts: [], columns: appended.relations[0]?.columns ?? [] } : {}),
        })),
      }),
    });
    const mayBeEmpty = { ...appended, relations: appended.relations.map((relation) => ({ ...relation, mayBeEmpty: true })) };
    const versions = [];
    for (const { name: relation } of spec.relations) {
      const { version } = await run(activities.createCandidate, { cycle, spec: appended, epoch, relation, manifest });
      await run(activities.loadRelation, { cycle, spec: appended, relation, version, manifest });
      await run(activities.finishCandidate, { cycle, spec: mayBeEmpty, relation, version, manifest });
      versions.push({ relation, version });
    }

    expect(await run(activities.promote, { cycle, spec: appended, versions, epoch, metadata: {} })).toMatchObject({ outcome: 'promoted' });

    expect((await reader.query(read)).rows).toEqual([]);
    expect((await reader.query('select * from vw_places')).fields.map((field) => field.name)).toEqual(['id', 'seen_at', 'geom', 'night', 'speed']);
  });

  it('of a table that stands under the view\'s name are not touched', async () => {
    await test.pool.query('create table public.vw_places (id bigint)');
    const opened = await openNight(activities, nightEnding(++day));
    const manifest = await putJobOutput(test, store.s3, opened.cycle, { rows: 1, night: 'x' });

    await expect(run(activities.createCandidate, { ...opened, spec, relation: 'places', manifest })).rejects.toMatchObject({ type: FailureType.Misconfigured });
  });
});

describe('retiring versions', () => {
  it('keeps as many earlier versions as declared, and drops the others (S0.9, X3)', async () => {
    for (let n = 1; n <= 5; n += 1) await promoteNight(activities, await nextNight({ night: `${n}`, rows: n }));

    const { dropped, pending } = await run(activities.retireVersions, { spec });
    const again = await run(activities.retireVersions, { spec });

    expect([dropped, pending, again.dropped]).toEqual([['places_v1', 'places_v2', 'totals_v1', 'totals_v2'], [], []]);
    const listed = await listVersions(test.db, 'places');
    expect(listed.map(({ version, state, current, rows }) => [version, state, current, rows])).toEqual([
      [5, 'promoted', true, 5],
      [4, 'retired', false, 4],
      [3, 'retired', false, 3],
      [2, 'dropped', false, 2],
      [1, 'dropped', false, 1],
    ]);
    expect(await tables()).toEqual(['places_v3', 'places_v4', 'places_v5', 'totals_v3', 'totals_v4', 'totals_v5']);
  });

  it('leaves a table that a reader still holds for the next time, and then drops it (S0.9, S0.15)', async () => {
    for (let n = 1; n <= 4; n += 1) await promoteNight(activities, await nextNight({ night: `${n}` }));
    const reader = await connect();
    await reader.query('begin; select count(*) from places_v1');

    const first = await run(activities.retireVersions, { spec });
    await reader.query('commit');
    const second = await run(activities.retireVersions, { spec });

    expect([first.pending, second.dropped]).toEqual([['places_v1'], ['places_v1']]);
  });

  it('drops a candidate that ended blocked once a later promotion has overtaken it, not before (I7)', async () => {
    await promoteNight(activities, await nextNight({ night: 'one' }));
    const blocked = await nextNight({ night: 'blocked' });
    await run(activities.closeCycle, { cycle: blocked.cycle, outcome: 'blocked', detail: '', counts: {} });
    await run(activities.releaseTurn, blocked);

    const before = await run(activities.retireVersions, { spec });
    await promoteNight(activities, await nextNight({ night: 'three' }));
    const after = await run(activities.retireVersions, { spec });

    expect([before.dropped, after.dropped]).toEqual([[], ['places_v2', 'totals_v2']]);
    expect(await served()).toMatchObject({ nights: ['three'] });
  });
});

async function tables(): Promise<readonly string[]> {
  const { rows } = await test.pool.query<{ tablename: string }>(`select tablename from pg_tables where schemaname = 'public' and tablename ~ '_v[0-9]+$' order by 1`);
  return rows.map((row) => row.tablename);
}
