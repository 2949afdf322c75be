import { loadCandidates, run } from '../../test/sql/fixture';
import { dailyPipeline, type DailyLake, endOf, openDailyLake, rowsApart } from '../../test/sql/refresh-fixture';
import { createTestDatabase, type TestDatabase } from '../../test/support/postgres';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { JobManifest } from '../../domain/documents';
import { nextDay } from '../../domain/refresh';
import { readJsonDocument } from '../../activities/json-document';
import type { BenchContext, Benchmark } from '../benchmark';
import { combined, measured, median, type Usage } from '../measure';
import { held, type Result, told } from '../results';

const DAYS = 30;
const FIRST_DAY = '2018-06-01';

interface Built {
  readonly usage: Usage;
  readonly jobRows: number;
  readonly copyBytes: number;
}

/** A night that changes one of thirty served days, by a pipeline that is refreshed by day and by one that rebuilds them all. */
export const refresh: Benchmark = {
  name: 'refresh',
  title: 'what does a night cost that changes one of thirty days, beside a full rebuild?',
  async run(context) {
    const test = await createTestDatabase();
    const lake = await openDailyLake(test);
    try {
      return await measureRefreshes(context, test, lake);
    } finally {
      await Promise.all([test.stop(), lake.stop()]);
    }
  },
};

async function measureRefreshes({ quick, note }: BenchContext, test: TestDatabase, lake: DailyLake) {
  const rowsOfDay = quick ? 5_000 : 50_000;
  const [byDay, whole] = [pipelineOf('by_day'), pipelineOf('whole')];
  await lake.setReference(3);
  let day = FIRST_DAY;
  const opened = await lake.open(byDay, endOf(nextDay(lastOf(FIRST_DAY))));
  for (let n = 0; n < DAYS; n += 1, day = nextDay(day)) lake.store(opened.cycle, day, rowsOfDay);
  note(`${(DAYS * rowsOfDay).toLocaleString('en-US')} rows of ${DAYS} days`);
  await lake.promote(await lake.build(opened, byDay), byDay);
  const results: Result[] = [];
  const sides: { readonly ours: Built[]; readonly full: Built[] } = { ours: [], full: [] };
  // By turns: what the machine does meanwhile meets both.
  for (let round = 0; round < (quick ? 2 : 4); round += 1) {
    const end = endOf(nextDay(day));
    day = nextDay(day);
    const changed = lastOf(FIRST_DAY);
    note(`night ${round + 1}: ${changed} gets a hundredth more`);
    sides.ours.push(await takeNight(lake, byDay, end, () => lake.store(opened.cycle, changed, rowsOfDay / 100)));
    sides.full.push(await takeNight(lake, whole, end, () => undefined));
    const apart = (await rowsApart(test, 'vw_by_day_rows', 'vw_whole_rows')) + (await rowsApart(test, 'vw_by_day_days', 'vw_whole_days'));
    if (apart !== 0) throw new Error(`The two sides differ by ${apart} rows: their times mean nothing`);
  }
  const of = (side: readonly Built[], value: (built: Built) => number) => median(side.map(value));
  const ratio = (value: (built: Built) => number) => of(sides.ours, value) / of(sides.full, value);
  const name = (what: string) => `refresh/1-of-${DAYS}-days/${what}`;
  results.push(held(name('rows-given-to-the-job'), ratio(({ jobRows }) => jobRows), "of a full rebuild's", 'at most', 0.1));
  results.push(held(name('bytes-from-s3'), ratio(({ copyBytes }) => copyBytes), "of a full rebuild's COPY parts", 'at most', 0.1));
  results.push(held(name('load-cpu'), ratio(({ usage }) => usage.cpuSeconds), "of a full rebuild's, worker, database and S3", 'at most', 1));
  results.push(held(name('load-seconds'), ratio(({ usage }) => usage.seconds), "of a full rebuild's", 'at most', 1));
  results.push(told(name('load-cpu-a-million'), (of(sides.ours, ({ usage }) => usage.cpuSeconds) / (DAYS * rowsOfDay)) * 1e6, `CPU-s a million served rows, full ${((of(sides.full, ({ usage }) => usage.cpuSeconds) / (DAYS * rowsOfDay)) * 1e6).toFixed(2)}`));
  return { results, usage: combined(sides.ours.map(({ usage }) => usage)) };
}

/** From the plan to the promotion; what is measured is the load, since PostgreSQL stands in for the Spark job here. */
async function takeNight(lake: DailyLake, spec: PipelineSpec, intervalEnd: string, arrive: () => void): Promise<Built> {
  const opened = await lake.open(spec, intervalEnd);
  arrive();
  const prepared = await run(lake.documents.prepareTransform, { cycle: opened.cycle, spec, full: spec.name === 'whole' });
  const manifest = await lake.doJob(prepared.input, spec);
  const { result: versions, usage } = await measured([process.pid], () => loadCandidates(lake.activities, opened, spec, manifest, prepared.input));
  await lake.promote({ ...opened, prepared, manifest, versions }, spec);
  const written = await readJsonDocument<JobManifest>(lake.s3, manifest);
  const copyBytes = (written?.relations ?? []).flatMap(({ copyParts }) => copyParts).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return { usage, jobRows: prepared.rowCount, copyBytes };
}

/** All thirty days stay served, and the rows have the index that costs most. */
function pipelineOf(name: string): PipelineSpec {
  const spec = dailyPipeline(name);
  const [rows, ...others] = spec.relations;
  if (rows === undefined) throw new Error('the pipeline has relations');
  return { ...spec, transform: { ...spec.transform, servedDays: 2 * DAYS }, relations: [{ ...rows, indexes: [{ columns: ['geom'], method: 'gist' }] }, ...others] };
}

function lastOf(first: string): string {
  return new Date(Date.parse(first) + (DAYS - 1) * 86_400_000).toISOString().slice(0, 10);
}
