import { gatePredicate } from '../../activities/gate-partitions';
import { copiesOf, type DayInput, planDays, type RefreshBase, refreshSentence, summaryOf } from '../../domain/refresh';
import { faultPipeline, refreshedByDay } from '../faults/pipeline';

const NOW = '2018-08-20T00:00:00Z';
const RELATIONS = ['points', 'totals'];

const day = (date: number, digest = 'same'): DayInput => ({ day: `2018-08-${String(date).padStart(2, '0')}`, digest, inputRows: 10 });

/** Versions of both relations with these days, each built yesterday from the same. */
function bases(dates: readonly number[], rows = 9): ReadonlyMap<string, RefreshBase> {
  const days = new Map(dates.map((date) => [day(date).day, { digest: 'same', rows, parquet: [`s3://refined/${date}/`], builtAt: '2018-08-19T00:00:00Z' }]));
  return new Map(RELATIONS.map((relation) => [relation, { version: 7, days }]));
}

test('only days with the same digest in every relation are kept', () => {
  const plan = planDays(RELATIONS, [day(1), day(2, 'other'), day(3), day(4)], bases([1, 2, 3]), NOW);

  expect(plan.kept.map((each) => each.day)).toEqual(['2018-08-01', '2018-08-03']);
  expect(plan.rebuilt.map((each) => each.day)).toEqual(['2018-08-02', '2018-08-04']);
  expect(plan.base).toEqual({ points: 7, totals: 7 });
  expect(plan.kept[0]?.relations['points']).toEqual({ rows: 9, parquet: ['s3://refined/1/'] });
});

test('a range never holds a day of the base that is not kept, rebuilt or gone', () => {
  const plan = planDays(RELATIONS, [day(1), day(2), day(4), day(5, 'other'), day(6), day(9), day(10)], bases([1, 2, 3, 4, 5, 6, 9]), NOW);

  // The third is in no storage file any more, the fifth is made anew; between the sixth and the ninth the base has nothing.
  expect(plan.ranges).toEqual([
    { first: '2018-08-01', last: '2018-08-02' },
    { first: '2018-08-04', last: '2018-08-04' },
    { first: '2018-08-06', last: '2018-08-09' },
  ]);
});

test('a copy is small enough to be tried again, and all of them together hold each kept row once', () => {
  const planned = planDays(RELATIONS, [day(1), day(2), day(3), day(4, 'other')], bases([1, 2, 3, 4], 900_000), NOW);
  const plan = { ...planned, plannedAt: NOW, columns: {}, references: {}, keptUris: [] };

  expect(copiesOf(plan, 'points')).toEqual([
    { first: '2018-08-01', last: '2018-08-02', rows: 1_800_000 },
    { first: '2018-08-03', last: '2018-08-03', rows: 900_000 },
  ]);
  expect(summaryOf(plan, RELATIONS)).toEqual({ days: 4, rebuilt: 1, base: { points: 7, totals: 7 }, kept: { inputRows: 30, rows: { points: 2_700_000, totals: 2_700_000 } } });
  expect(copiesOf(undefined, 'points')).toEqual([]);
});

test('in doubt every day is made anew', () => {
  const why = (days: readonly DayInput[], on: ReadonlyMap<string, RefreshBase>, now = NOW) => {
    const { rebuilt, kept, why: reason } = planDays(RELATIONS, days, on, now);
    expect([rebuilt, kept]).toEqual([days, []]);
    return reason;
  };
  const one = bases([1]);
  const withoutDays = new Map([...one, ['totals', { version: 3, days: new Map() }]]);

  expect(why([day(1)], new Map())).toBe('no version of "points" is served');
  expect(why([day(1)], withoutDays)).toBe('version 3 of "totals" was not built day by day');
  expect(why([day(1)], one)).toBe('no served day has changed');
  expect(why([day(1, 'other'), day(2)], one)).toBe('no day is made from what the served version was made from');
  expect(why([day(1), day(2)], one, '2018-09-08T00:00:00Z')).toBe('no day is made from what the served version was made from');
  expect(planDays(RELATIONS, [day(1), day(2)], one, '2018-09-07T23:59:59Z').kept).toHaveLength(1);
});

test('what a person reads says how many days were made, and where the others are from', () => {
  expect(refreshSentence({ days: 30, rebuilt: 1, base: { positions: 5, zone_activity: 5 } })).toBe('1 of 30 days rebuilt, the others from positions_v5, zone_activity_v5');
  expect(refreshSentence({ days: 3, rebuilt: 3, base: {}, why: 'asked for' })).toBe('all 3 days rebuilt: asked for');
});

test('the first look of the gate takes the added rows of each day, the second all rows of the generation (I4)', () => {
  const cycle = { pipeline: 'p', dataset: 'd', intervalStart: '2018-08-01T00:00:00Z', intervalEnd: '2018-08-02T00:00:00Z', generation: 1 };
  const run = "run_id = 'p-20180802T000000Z-g0001'";
  const whole = faultPipeline('p');
  const byDay = refreshedByDay(whole);

  expect([gatePredicate(cycle, 'added', byDay), gatePredicate(cycle, 'served', byDay)]).toEqual([`${run} and origin like 'added%'`, run]);
  expect([gatePredicate(cycle, 'added', whole), gatePredicate(cycle, 'served', whole)]).toEqual([`${run} and origin = 'added'`, `${run} and origin in ('added', 'kept')`]);
});
