import { ApplicationFailure } from '@temporalio/common';
import fc from 'fast-check';
import { copyDays } from '../../activities/copy-days';
import { findServedVersion, findVersion } from '../../sql/queries/versions';
import { FailureType } from '../../domain/failure-type';
import { nextDay } from '../../domain/refresh';
import { createTestDatabase, type TestDatabase } from '../support/postgres';
import { run } from './fixture';
import { dailyPipeline, type DailyLake, endOf, openDailyLake, rowsApart } from './refresh-fixture';

let test: TestDatabase;
let lake: DailyLake;

beforeAll(async () => {
  test = await createTestDatabase();
  lake = await openDailyLake(test);
  await lake.setReference(3);
});
afterAll(async () => {
  await Promise.all([test.stop(), lake.stop()]);
});
afterEach(() => {
  lake.storage.files = [];
});

/** The day before. */
const dayBefore = (day: string, days = 1) => new Date(Date.parse(day) - days * 86_400_000).toISOString().slice(0, 10);

/** Takes a night with `rows` new records by day, counted back from the interval's end, to its end. */
async function night(spec: ReturnType<typeof dailyPipeline>, day: string, late: Readonly<Record<number, number>>, options: Parameters<DailyLake['build']>[2] = {}) {
  const opened = await lake.open(spec, endOf(day));
  for (const [back, rows] of Object.entries(late)) lake.store(opened.cycle, dayBefore(day, Number(back)), rows);
  const built = await lake.build(opened, spec, options);
  expect(await lake.promote(built, spec)).toBe('promoted');
  return built;
}

async function versionDays(relation: string): Promise<readonly { readonly day: string; readonly rows: number; readonly copied_from: number | null }[]> {
  const served = await findServedVersion(test.db, relation);
  const { rows } = await test.pool.query<{ day: string; rows: number; copied_from: number | null }>(
    'select day::text as day, rows, copied_from from meridian.version_day where relation = $1 and version = $2 order by day',
    [relation, served?.version],
  );
  return rows;
}

describe('a pipeline that is refreshed by day', () => {
  it('copies the days that are the same, and gives the job the others', async () => {
    const spec = dailyPipeline('mostly');

    const first = await night(spec, '2018-08-04', { 1: 50, 2: 40, 3: 30 });
    const second = await night(spec, '2018-08-05', { 1: 20, 3: 5 });

    expect(first.prepared.refresh).toMatchObject({ days: 3, rebuilt: 3, base: {}, why: 'no version of "mostly_rows" is served' });
    expect(second.prepared).toMatchObject({
      files: 3, // the new day's, and both of the day with late records
      rowCount: 65,
      addedRowCount: 25,
      refresh: { days: 4, rebuilt: 2, base: { mostly_rows: 1, mostly_days: 1 }, kept: { inputRows: 80, rows: { mostly_rows: 80, mostly_days: 2 } } },
    });
    expect(await versionDays('mostly_rows')).toEqual([
      { day: '2018-08-01', rows: 30, copied_from: 1 },
      { day: '2018-08-02', rows: 45, copied_from: null },
      { day: '2018-08-03', rows: 50, copied_from: 1 },
      { day: '2018-08-04', rows: 20, copied_from: null },
    ]);
    const { rows } = await test.pool.query('select count(*) as rows, count(distinct id) as ids from vw_mostly_rows');
    expect(rows).toEqual([{ rows: 145, ids: 145 }]);
  });

  it('rebuilds all of it when the job, a reference, the declaration or the base is another one, and when somebody says so', async () => {
    const spec = dailyPipeline('anew');
    const why = async (day: string, options?: Parameters<DailyLake['build']>[2], of = spec) => (await night(of, day, { 1: 5 }, options)).prepared.refresh?.why;

    expect(await why('2018-08-02')).toBe('no version of "anew_rows" is served');
    expect(await why('2018-08-03')).toBeUndefined();
    expect(await why('2018-08-04', { full: true })).toBe('asked for');
    const changed = 'no day is made from what the served version was made from';
    expect(await why('2018-08-05', { jobsUri: 's3://refined/jobs/b' })).toBe(changed);
    await lake.setReference(4);
    expect(await why('2018-08-06', { jobsUri: 's3://refined/jobs/b' })).toBe(changed);
    const appended = { ...spec, transform: { ...spec.transform, sparkConf: { 'spark.sql.ansi.enabled': 'true' } } };
    expect(await why('2018-08-07', { jobsUri: 's3://refined/jobs/b' }, appended)).toBe(changed);
    await test.pool.query(`delete from meridian.version_day where relation = 'anew_days'`);
    expect(await why('2018-08-08', { jobsUri: 's3://refined/jobs/b' }, appended)).toMatch(/^version 6 of "anew_days" was not built day by day$/);
    await lake.setReference(3);
  });

  it('makes a day anew before the gate could miss its files', async () => {
    const spec = dailyPipeline('aging');
    await night(spec, '2018-08-04', { 1: 5, 2: 5, 3: 5 });
    await test.pool.query(`update meridian.version_day set built_at = now() - interval '19 days 23 hours' where relation like 'aging%' and day = '2018-08-01'`);
    await test.pool.query(`update meridian.version_day set built_at = now() - interval '20 days 1 hour' where relation = 'aging_days' and day = '2018-08-02'`);

    await night(spec, '2018-08-05', { 1: 5 });

    expect((await versionDays('aging_rows')).map(({ copied_from }) => copied_from)).toEqual([1, null, 1, null]);
  });

  it('does not copy what it copies twice, whatever is tried again, and copies nothing that is not on record (I1)', async () => {
    const spec = dailyPipeline('again');
    await night(spec, '2018-08-04', { 1: 500, 2: 400 });
    const opened = await lake.open(spec, endOf('2018-08-05'));
    lake.store(opened.cycle, '2018-08-04', 20);
    const prepared = await run(lake.documents.prepareTransform, { cycle: opened.cycle, spec });
    const manifest = await lake.doJob(prepared.input, spec);
    const relation = 'again_rows';
    const { version, table } = await run(lake.activities.createCandidate, { ...opened, spec, relation, manifest, input: prepared.input });
    const input = { cycle: opened.cycle, spec, relation, version, manifest, input: prepared.input };

    const [candidate, base] = [await findVersion(test.db, { relation, version }), await findVersion(test.db, { relation, version: 1 })];
    if (candidate === undefined || base === undefined) throw new Error('both versions are on record');
    const copy = { pool: test.pool, candidate, base, by: { name: 'seen_at', type: 'timestamptz' }, copy: { first: '2018-08-02', last: '2018-08-03', rows: 900 } } as const;
    const copied = await Promise.all(Array.from({ length: 4 }, () => run(copyDays, copy)));
    await Promise.all(Array.from({ length: 4 }, () => run(lake.activities.loadRelation, input)));
    const loaded = await run(lake.activities.loadRelation, input);

    expect(copied.filter(Boolean)).toHaveLength(1);
    expect(loaded).toEqual({ rows: 920, parts: 2 });
    expect((await test.pool.query(`select count(*) as rows from ${table}`)).rows).toEqual([{ rows: 920 }]);
    expect((await test.pool.query(`select part_uri, rows from meridian.load_part where relation = $1 and version = $2 and part_uri like 'postgresql:%'`, [relation, version])).rows).toEqual([
      { part_uri: 'postgresql:again_rows_v1/2018-08-02..2018-08-03', rows: 900 },
    ]);
    await expect(run(lake.activities.finishCandidate, input)).resolves.toEqual({ rows: 920 });
    await lake.giveUp(opened);

    await test.pool.query(`delete from again_rows_v1 where ctid in (select ctid from again_rows_v1 where seen_at < '2018-08-03' limit 1)`);
    const short = await lake.open(spec, endOf('2018-08-06'));
    lake.store(short.cycle, '2018-08-05', 20);
    await expect(lake.build(short, spec)).rejects.toMatchObject({ type: FailureType.CountsDoNotAddUp, nonRetryable: true });
    await lake.giveUp(short);
  });

  it('fails by name, and loads nothing, when the base is gone; the next cycle rebuilds', async () => {
    const spec = dailyPipeline('gone');
    await night(spec, '2018-08-04', { 1: 5, 2: 5 });
    const opened = await lake.open(spec, endOf('2018-08-05'));
    lake.store(opened.cycle, '2018-08-04', 5);
    const prepared = await run(lake.documents.prepareTransform, { cycle: opened.cycle, spec });
    const manifest = await lake.doJob(prepared.input, spec);
    const { version } = await run(lake.activities.createCandidate, { ...opened, spec, relation: 'gone_rows', manifest, input: prepared.input });
    await test.pool.query(`update meridian.version set state = 'dropped' where relation like 'gone%' and version = 1`);

    const load = run(lake.activities.loadRelation, { cycle: opened.cycle, spec, relation: 'gone_rows', version, manifest, input: prepared.input });

    await expect(load).rejects.toMatchObject({ type: FailureType.CandidateGone, nonRetryable: true, message: expect.stringContaining('gone_rows_v1, whose unchanged days gone_rows_v2 takes over, is dropped') as string });
    await lake.giveUp(opened);
    expect((await night(spec, '2018-08-06', { 1: 5 })).prepared.refresh).toMatchObject({ rebuilt: 3, why: 'no version of "gone_rows" is served' });
  });

  it('is not promoted when its job wrote rows of another day than it was given, or a reference was replaced meanwhile', async () => {
    const spec = dailyPipeline('strict');
    await night(spec, '2018-08-04', { 1: 5, 2: 5 });
    const opened = await lake.open(spec, endOf('2018-08-05'));
    const { cycle } = opened;
    lake.store(cycle, '2018-08-04', 5);
    const { input } = await run(lake.documents.prepareTransform, { cycle, spec });
    const read = () => run(lake.documents.readJobManifest, { cycle, spec, input });

    await lake.doJob(input, spec, (manifest) => ({ ...manifest, relations: manifest.relations.map((relation) => ({ ...relation, days: relation.days?.map((day) => ({ ...day, day: '2018-08-03' })) ?? [] })) }));
    await expect(read()).rejects.toMatchObject({ type: FailureType.JobOutputInvalid, message: expect.stringContaining('rows of days that it was not given, or a day twice: 2018-08-03') as string });
    await lake.doJob(input, spec);
    await expect(read()).resolves.toMatchObject({ inputRows: 5 });
    await lake.setReference(9);
    await expect(read()).rejects.toMatchObject({ type: FailureType.JobOutputInvalid, message: expect.stringContaining('reference "factor" was replaced while the job ran') as string });
    await lake.setReference(3);
    await lake.giveUp(opened);
  });

  it('serves exactly what a full rebuild serves, night by night, whatever happens in between (I1, I3, X3, X6)', async () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ kind: fc.constant('night' as const), late: fc.dictionary(fc.constantFrom('1', '2', '3', '4', '9'), fc.integer({ min: 1, max: 40 }), { minKeys: 1 }) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('empty' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('rejected' as const), late: fc.constant({ '1': 7, '3': 2 }) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('voided' as const), nth: fc.nat(50) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('reference' as const), factor: fc.integer({ min: 1, max: 9 }) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('rollback' as const) }) },
    );
    let run_ = 0;
    let copied = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 14 }), async (steps) => {
        run_ += 1;
        lake.storage.files = [];
        const [spec, whole] = [dailyPipeline(`inc${run_}`), dailyPipeline(`full${run_}`)];
        let day = '2018-08-10';
        for (const each of steps) {
          day = nextDay(day);
          if (each.kind === 'reference') await lake.setReference(each.factor);
          if (each.kind === 'voided') lake.storage.files = lake.storage.files.filter((_, n) => n !== each.nth % Math.max(lake.storage.files.length, 1));
          if (each.kind === 'rollback') await rollBack(spec.name);
          if (each.kind === 'rejected') {
            const opened = await lake.open(spec, endOf(day));
            for (const [back, rows] of Object.entries(each.late)) lake.store(opened.cycle, dayBefore(day, Number(back)), rows);
            await lake.build(opened, spec);
            await lake.giveUp(opened);
          }
          if (each.kind !== 'night') continue;
          const late = Object.keys(each.late).every((back) => back === '9') ? { ...each.late, '1': 3 } : each.late;
          const { prepared } = await night(spec, day, late);
          copied += prepared.refresh?.kept.rows[`${spec.name}_rows`] ?? 0;
          await night(whole, day, {}, { full: true });

          for (const relation of ['rows', 'days']) expect([relation, await rowsApart(test, `vw_${spec.name}_${relation}`, `vw_${whole.name}_${relation}`)]).toEqual([relation, 0]);
        }
      }),
      { numRuns: Number(process.env.MERIDIAN_PROPERTY_RUNS ?? 4), endOnFailure: true },
    );
    // A test that never copies would prove nothing.
    expect(copied).toBeGreaterThan(0);
    await lake.setReference(3);
  });
});

/** Brings the version before back, where one is kept; the next cycles go on. */
async function rollBack(pipeline: string): Promise<void> {
  const spec = dailyPipeline(pipeline);
  const request = { pipeline, by: 'test', reason: 'to see what comes next', hold: false };
  const { rows } = await test.pool.query(`select from meridian.version where relation = $1 and state = 'retired'`, [`${pipeline}_rows`]);
  if (rows.length === 0) return;
  const plan = await run(lake.activities.planRollback, { spec, request }).catch((error: unknown) => {
    if (error instanceof ApplicationFailure && error.type === FailureType.RollbackRefused) return undefined; // none is older than what is served
    throw error;
  });
  if (plan !== undefined) await run(lake.activities.rollback, { spec, plan, request, requestId: `${pipeline}-${plan.latest}` });
}
