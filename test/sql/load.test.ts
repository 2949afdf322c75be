import { setTimeout as sleep } from 'node:timers/promises';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { Client } from 'pg';
import { readJobRelation, relationOf } from '../../activities/job-relation';
import { loadPart } from '../../activities/load-part';
import type { S3Pointer } from '../../domain/documents';
import { FailureType } from '../../domain/failure-type';
import { findVersionOf, type VersionRow } from '../../sql/queries/versions';
import { createTestDatabase, runOnce, type TestDatabase } from '../support/postgres';
import {
  activityEnvironment,
  createActivities,
  loadNight,
  nightEnding,
  openNight,
  type OpenedCycle,
  promoteNight,
  putJobOutput,
  putPart,
  run,
  spec,
  type TestActivities,
} from './fixture';
import { BUCKET, type ObjectStore, startObjectStore } from './object-store';

let test: TestDatabase;
let store: ObjectStore;
let activities: TestActivities;
let day = 0;

beforeAll(async () => {
  [test, store] = await Promise.all([createTestDatabase(), startObjectStore()]);
  activities = createActivities(test, store.s3, async () => true);
});
afterAll(async () => {
  await Promise.all([test.stop(), store.stop()]);
});

interface Candidate extends OpenedCycle {
  readonly input: { readonly cycle: OpenedCycle['cycle']; readonly spec: typeof spec; readonly relation: string; readonly version: number; readonly manifest: S3Pointer };
  readonly table: string;
  readonly row: VersionRow;
}

/** A night of its own with a candidate of `places` that waits for its parts. */
async function candidateOf(output: Partial<Parameters<typeof putJobOutput>[3]> = {}): Promise<Candidate> {
  day += 1;
  const opened = await openNight(activities, nightEnding(day));
  const { cycle, epoch } = opened;
  const manifest = await putJobOutput(test, store.s3, cycle, { rows: 1_000, parts: 8, night: 'x', ...output });
  const made = await run(activities.createCandidate, { cycle, spec, epoch, relation: 'places', manifest });
  const row = await findVersionOf(test.db, cycle, 'places');
  if (row === undefined) throw new Error('no candidate');
  return { ...opened, table: made.table, row, input: { cycle, spec, relation: 'places', version: made.version, manifest } };
}

async function countOf(table: string): Promise<{ readonly rows: number; readonly ids: number }> {
  const { rows } = await test.pool.query(`select count(*) as rows, count(distinct id) as ids from ${table}`);
  return rows[0] as { rows: number; ids: number };
}

async function tablesLike(pattern: string): Promise<readonly string[]> {
  const { rows } = await test.pool.query(`select tablename from pg_tables where schemaname = 'public' and tablename ~ $1 order by 1`, [pattern]);
  return rows.map((row: { tablename: string }) => row.tablename);
}

describe('a candidate', () => {
  it('is one a generation and relation, however often it is asked for (S0.6)', async () => {
    const { input, cycle, epoch, table } = await candidateOf();

    const again = await run(activities.createCandidate, { ...input, epoch });
    const atOnce = await Promise.all(
      Array.from({ length: 5 }, () => run(activities.createCandidate, { ...input, epoch, relation: 'totals', cycle })),
    );

    expect(again).toEqual({ version: input.version, table });
    expect(new Set(atOnce.map((each) => each.table)).size).toBe(1);
    expect(table).toBe(`places_v${input.version}`);
  });

  it('is refused to an execution whose turn was taken over', async () => {
    const late = await openNight(activities, nightEnding(++day));
    const manifest = await putJobOutput(test, store.s3, late.cycle, { rows: 1, night: 'x' });
    await openNight(activities, nightEnding(++day));
    const before = await tablesLike('^places_v');

    await expect(run(activities.createCandidate, { ...late, spec, relation: 'places', manifest })).rejects.toMatchObject({
      type: FailureType.TurnLost,
      nonRetryable: true,
    });

    expect(await tablesLike('^places_v')).toEqual(before);
  });

  it('is refused to a generation that was given up, so that a late attempt leaves no table (I7)', async () => {
    const late = await openNight(activities, nightEnding(++day));
    const manifest = await putJobOutput(test, store.s3, late.cycle, { rows: 1, night: 'x' });
    await run(activities.dropCandidates, { cycle: late.cycle });
    const before = await tablesLike('^places_v');

    await expect(run(activities.createCandidate, { ...late, spec, relation: 'places', manifest })).rejects.toMatchObject({ type: FailureType.TurnLost });

    expect(await tablesLike('^places_v')).toEqual(before);
  });

  it('is refused when the job wrote other columns than declared, with the difference (S0.16)', async () => {
    const opened = await openNight(activities, nightEnding(++day));
    const manifest = await putJobOutput(test, store.s3, opened.cycle, {
      rows: 1,
      night: 'x',
      edit: (document) => ({
        ...document,
        relations: document.relations.map((relation) => ({
          ...relation,
          columns: relation.columns.map((column) => (column.name === 'night' ? { name: 'night', type: 'bigint' } : column)),
        })),
      }),
    });

    await expect(run(activities.createCandidate, { ...opened, spec, relation: 'places', manifest })).rejects.toMatchObject({
      type: FailureType.IncompatibleColumns,
      message: expect.stringContaining('~ night: text became bigint') as string,
    });
  });
});

describe('loading parts', () => {
  it('copies every row once, at any parallelism', async () => {
    for (const parallelism of [1, 4]) {
      const { input, table } = await candidateOf();

      const result = await run(activities.loadRelation, { ...input, parallelism });

      expect(result).toEqual({ rows: 1_000, parts: 8 });
      expect(await countOf(table)).toEqual({ rows: 1_000, ids: 1_000 });
    }
  });

  it('copies each part once under four attempts at once, and again after', async () => {
    const { input, table } = await candidateOf();

    await Promise.all(Array.from({ length: 4 }, () => run(activities.loadRelation, { ...input, parallelism: 3 })));
    await run(activities.loadRelation, input);

    expect(await countOf(table)).toEqual({ rows: 1_000, ids: 1_000 });
  });

  it('goes on after its connection was killed in the middle of a part, without loss or repeat', async () => {
    const { input, table } = await candidateOf({ rows: 12_000, parts: 12 });
    const stalling = createActivities(test, await store.meddledClient((path) => (path.includes('part-7') ? 'stall' : undefined)));
    const crashed = run(stalling.loadRelation, { ...input, parallelism: 2 }).then(() => 'finished', () => 'crashed');
    await waitFor(async () => (await countOf(table)).rows === 11_000);
    await runOnce(
      test.configOf('postgres'),
      `select pg_terminate_backend(pid) from pg_stat_activity where query ~* '^copy' and state = 'active' and datname = current_database()`,
    );
    const outcome = await crashed;
    const afterCrash = await countOf(table);

    await run(activities.loadRelation, input);
    const { rows } = await run(activities.finishCandidate, input);

    expect(outcome).toBe('crashed');
    expect(afterCrash.rows).toBe(11_000);
    expect(rows).toBe(12_000);
    expect(await countOf(table)).toEqual({ rows: 12_000, ids: 12_000 });
  });

  it('reports parts as it goes and stops when it is cancelled, with whole parts only', async () => {
    const { input, table } = await candidateOf({ rows: 30_000, parts: 30 });
    const environment = activityEnvironment();
    const beats: { readonly done: number; readonly total: number }[] = [];
    environment.on('heartbeat', (details: { done: number; total: number }) => {
      beats.push(details);
      if (details.done === 3) environment.cancel();
    });

    await expect(run(activities.loadRelation, { ...input, parallelism: 1 }, environment)).rejects.toMatchObject({ name: 'CancelledFailure' });

    const { rows } = await countOf(table);
    expect(beats).toContainEqual({ done: 2, total: 30, unit: 'parts' });
    expect(rows % 1_000).toBe(0);
    expect(rows).toBeLessThan(30_000);
    const { rows: ledger } = await test.pool.query(`select sum(rows)::bigint as rows from meridian.load_part where relation = 'places' and version = $1`, [input.version]);
    expect(ledger).toEqual([{ rows }]);
  });

  it.each(['cut', 'short', 'stall', 'flip'] as const)('loads nothing of a part whose body is %s on its way, and all of it at the next attempt', async (how) => {
    const { row, table, input } = await candidateOf({ rows: 20_000, parts: 1 });
    const meddled = createActivities(test, await store.meddledClient((path) => (path.includes('/copy/') ? how : undefined)));

    await expect(run(meddled.loadRelation, { ...input, idleMs: 500 })).rejects.toMatchObject({ type: FailureType.ObjectDamaged, nonRetryable: false });
    expect(await countOf(table)).toEqual({ rows: 0, ids: 0 });

    await run(activities.loadRelation, input);
    expect(await countOf(row.table)).toEqual({ rows: 20_000, ids: 20_000 });
  });

  it('refuses a part that is not the object that the job wrote', async () => {
    const { input, cycle } = await candidateOf({ rows: 10, parts: 1 });
    await putPart(test, store.s3, `places/${cycle.intervalEnd.replace(/[-:]/g, '')}/g0001/places/copy/part-0`, 1, `select 1::bigint, now(), null::geometry, 'other'`);

    await expect(run(activities.loadRelation, input)).rejects.toMatchObject({ type: FailureType.ObjectVanished, nonRetryable: true });
  });

  it('refuses bytes that are no binary COPY, and a part with another number of rows', async () => {
    const garbage = await candidateOf({
      parts: 1,
      edit: (document) => ({ ...document, relations: document.relations.map((relation) => ({ ...relation, copyParts: [bad] })) }),
    });
    const miscounted = await candidateOf({
      parts: 1,
      edit: (document) => ({
        ...document,
        relations: document.relations.map((relation) => ({ ...relation, copyParts: relation.copyParts.map((part) => ({ ...part, rows: part.rows + 1 })) })),
      }),
    });
    const invalid = { type: FailureType.JobOutputInvalid, nonRetryable: true };

    await expect(run(activities.loadRelation, garbage.input)).rejects.toMatchObject(invalid);
    await expect(run(activities.loadRelation, miscounted.input)).rejects.toMatchObject(invalid);

    expect(await countOf(garbage.table)).toEqual({ rows: 0, ids: 0 });
    expect(await countOf(miscounted.table)).toEqual({ rows: 0, ids: 0 });
  });

  let bad = { uri: `s3://${BUCKET}/bad`, etag: '', rows: 1, sizeBytes: 11 };
  beforeAll(async () => {
    const { ETag } = await store.s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: 'bad', Body: 'not a copy!' }));
    bad = { ...bad, etag: ETag ?? '' };
  });
});

describe('dropping a candidate', () => {
  it('waits for a part that is being copied, and lets none begin after', async () => {
    const { row, input, table, cycle } = await candidateOf({ rows: 1_000, parts: 2 });
    const slow = await store.meddledClient(() => 'stall');
    const [stalledPart, otherPart] = await partsOf(input.manifest);
    const stalled = loadPart({ pool: test.pool, s3: slow, candidate: row, part: stalledPart, idleMs: 800, signal: new AbortController().signal });
    const stalledEnd = stalled.then(() => 'loaded', (error: { type?: string }) => error.type);
    await waitFor(async () => {
      const { rows } = await test.pool.query(`select 1 from pg_stat_activity where query ~* '^copy' and datname = current_database()`);
      return rows.length > 0;
    });

    const dropped = await run(activities.dropCandidates, { cycle });
    const late = loadPart({ pool: test.pool, s3: store.s3, candidate: row, part: otherPart, idleMs: 800, signal: new AbortController().signal });

    await expect(late).rejects.toMatchObject({ type: FailureType.CandidateGone, nonRetryable: true });
    expect(dropped).toEqual({ dropped: [table] });
    expect(await stalledEnd).toBe(FailureType.ObjectDamaged);
    expect(await tablesLike(`^${table}$`)).toEqual([]);
    await expect(run(activities.loadRelation, input)).rejects.toMatchObject({ type: FailureType.CandidateGone });
    await expect(run(activities.finishCandidate, input)).rejects.toMatchObject({ type: FailureType.CandidateGone });
  });

  it('is taken up again where it was left, and leaves no table (I7)', async () => {
    const { table, cycle } = await candidateOf();
    await test.pool.query(`update meridian.version set state = 'dropped' where table_name = $1`, [table]);

    const first = await run(activities.dropCandidates, { cycle });
    const second = await run(activities.dropCandidates, { cycle });

    expect([first.dropped, second.dropped]).toEqual([[table], []]);
    expect(await tablesLike(`^${table}$`)).toEqual([]);
  });

  it('never cascades to what somebody built on the table', async () => {
    const { table, cycle } = await candidateOf();
    await test.pool.query(`create view built_on_it as select id from ${table}`);

    await expect(run(activities.dropCandidates, { cycle })).rejects.toMatchObject({ code: '2BP01' });
    expect(await tablesLike(`^${table}$`)).toEqual([table]);

    await test.pool.query('drop view built_on_it');
    expect(await run(activities.dropCandidates, { cycle })).toEqual({ dropped: [table] });
  });

  it('refuses a version that readers were given', async () => {
    const night = await loadNight(test, activities, store.s3, nightEnding(++day));
    await promoteNight(activities, night);

    await expect(run(activities.dropCandidates, { cycle: night.cycle })).rejects.toMatchObject({ type: FailureType.CandidateInvalid });

    const { rows } = await test.pool.query('select count(*) as rows from vw_places');
    expect(rows).toEqual([{ rows: 100 }]);
  });
});

describe('finishing a candidate', () => {
  it('indexes it and says how many rows it has, however often it is asked', async () => {
    const { input, table } = await candidateOf();
    await run(activities.loadRelation, input);

    const both = await Promise.all([run(activities.finishCandidate, input), run(activities.finishCandidate, input)]);
    const again = await run(activities.finishCandidate, input);

    expect([...both, again]).toEqual([{ rows: 1_000 }, { rows: 1_000 }, { rows: 1_000 }]);
    const { rows } = await test.pool.query('select indexname, indexdef from pg_indexes where tablename = $1 order by 1', [table]);
    expect(rows).toEqual([
      { indexname: `${table}_i1`, indexdef: expect.stringContaining('USING gist (geom)') as string },
      { indexname: `${table}_i2`, indexdef: expect.stringContaining('USING brin (seen_at)') as string },
      { indexname: `${table}_key`, indexdef: expect.stringContaining('UNIQUE INDEX') as string },
    ]);
  });

  it('refuses one with a part missing, and one with a row that no part brought (X6, S0.13)', async () => {
    const short = await candidateOf();
    const parts = await partsOf(short.input.manifest);
    for (const part of parts.slice(1)) await loadPart({ pool: test.pool, s3: store.s3, candidate: short.row, part, idleMs: 5_000, signal: new AbortController().signal });
    const foreign = await candidateOf();
    await run(activities.loadRelation, foreign.input);
    await test.pool.query(`insert into ${foreign.table} values (0, now(), null, 'from elsewhere')`);
    const refused = { type: FailureType.CountsDoNotAddUp, nonRetryable: true };

    await expect(run(activities.finishCandidate, short.input)).rejects.toMatchObject(refused);
    await expect(run(activities.finishCandidate, foreign.input)).rejects.toMatchObject(refused);
  });

  it('refuses one with a repeated key, and says how many', async () => {
    const { input, cycle } = await candidateOf({
      parts: 1,
      edit: (document) => ({
        ...document,
        relations: document.relations.map((relation) => (relation.name === 'places' ? { ...relation, rows: 6, copyParts: [doubled] } : relation)),
      }),
    });
    await run(activities.loadRelation, input);

    await expect(run(activities.finishCandidate, input)).rejects.toMatchObject({
      type: FailureType.CandidateInvalid,
      nonRetryable: true,
      message: expect.stringContaining('2 repeated keys (id)') as string,
    });
    expect((await findVersionOf(test.db, cycle, 'places'))?.state).toBe('loading');
  });

  it('refuses an empty one unless the relation is declared to be allowed so (S0.13, I3)', async () => {
    const { input, epoch } = await candidateOf({
      edit: (document) => ({ ...document, relations: document.relations.map((relation) => ({ ...relation, rows: 0, copyParts: [] })) }),
    });
    await run(activities.loadRelation, input);
    const totals = { ...input, relation: 'totals' };
    const { version } = await run(activities.createCandidate, { ...totals, epoch });
    await run(activities.loadRelation, { ...totals, version });

    await expect(run(activities.finishCandidate, input)).rejects.toMatchObject({ type: FailureType.EmptyOutput, nonRetryable: true });
    expect(await run(activities.finishCandidate, { ...totals, version })).toEqual({ rows: 0 });
  });

  it('ends its statement in the database when it is cancelled', async () => {
    const { input, table } = await candidateOf({ rows: 10, parts: 1 });
    await run(activities.loadRelation, input);
    const blocker = new Client(test.config);
    await blocker.connect();
    await blocker.query(`begin; lock table ${table} in access exclusive mode`);
    const environment = activityEnvironment();
    const finishing = run(activities.finishCandidate, input, environment).catch((error: { name?: string }) => error.name);
    const waiting = async () => (await test.pool.query(`select 1 from pg_stat_activity where wait_event_type = 'Lock' and query ~ $1`, [table])).rows.length;
    await waitFor(async () => (await waiting()) === 1);

    environment.cancel();

    expect(await finishing).toBe('CancelledFailure');
    expect(await waiting()).toBe(0);
    await blocker.end();
  });

  let doubled = { uri: '', etag: '', rows: 6, sizeBytes: 0 };
  beforeAll(async () => {
    doubled = await putPart(test, store.s3, 'doubled', 6, `select i::bigint, now(), null::geometry, 'x' from unnest(array[1, 2, 2, 3, 4, 4]) i`);
  });
});

async function partsOf(manifest: S3Pointer) {
  const { copyParts } = await readJobRelation(store.s3, manifest, relationOf(spec, 'places'));
  const [first, second] = copyParts;
  if (first === undefined || second === undefined) throw new Error('expected two parts');
  return [first, second, ...copyParts.slice(2)] as const;
}

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('waited 20 s for a condition that never came');
    await sleep(5);
  }
}
