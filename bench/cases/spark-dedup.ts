import { createBatchActivities } from '../../activities/batches';
import { createLedgerActivities } from '../../activities/ledger';
import type { CycleRef } from '../../domain/cycle';
import type { RecordCounts } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { type LedgerStack, startLedgerStack } from '../../test/dedup/support/ledger-stack';
import { discover, nightEnding, putRaw, rawKey, run, SPEC } from '../../test/dedup/support/nights';
import { type SparkDedup, sparkRound, startSparkDedup } from '../../test/dedup/support/spark-dedup';
import type { BenchContext, Benchmark } from '../benchmark';
import { combined, measured, type Usage } from '../measure';
import { type Result, told } from '../results';
import { type BatchShape, objectOf, type RecordRange } from './dedup/records';

const MILLION = 1_000_000;
const FORMATS = ['parquet', 'json-lines'] as const;
const DAY = '2018-08-01';

/** What a Spark run takes where a worker's DuckDB would do (S2.30); on two cores, where nothing is won by many. */
export const sparkDedup: Benchmark = {
  name: 'spark-dedup',
  title: 'what does a Spark run take for the dedup that a worker does by itself?',
  async run({ quick, scratch, note }) {
    const records = quick ? 50_000 : 2 * MILLION;
    const stack = await startLedgerStack();
    let spark: SparkDedup | undefined;
    try {
      note('a Spark session');
      spark = await startSparkDedup(stack, '-XX:+UseParallelGC');
      const started = { stack, spark, scratch, note };
      // What comes first would pay for Java to get warm, whichever format it has.
      for (const format of FORMATS) await twoNights(started, format, records / 5);
      const results: Result[] = [];
      const usages: Usage[] = [];
      for (const format of FORMATS) {
        for (const { share, usage } of await twoNights(started, format, records)) {
          usages.push(usage);
          const name = (what: string) => `spark-dedup/${format}/${share * 100}%-repeats/${what}`;
          results.push(told(name('cpu'), (usage.cpuSeconds / records) * MILLION, 'CPU-s a million of Spark, a session that runs already'));
          results.push(told(name('rate'), records / usage.seconds, 'records/s on two cores'));
        }
      }
      return { results, usage: combined(usages) };
    } finally {
      await spark?.stop();
      await stack.stop();
    }
  },
};

interface Started extends Pick<BenchContext, 'scratch' | 'note'> {
  readonly stack: LedgerStack;
  readonly spark: SparkDedup;
}

/** All new, then nothing new: the second night reads what the first one stored. */
async function twoNights({ stack, spark, scratch, note }: Started, format: BatchShape['format'], records: number): Promise<readonly { readonly share: number; readonly usage: Usage }[]> {
  const deps = await stack.fresh();
  const spec: PipelineSpec = { ...SPEC, raw: { ...SPEC.raw, format }, dedup: { ...SPEC.dedup, engine: 'spark', chunkBytes: 1024 ** 4 } };
  await run(createLedgerActivities(deps).raiseFence, { dataset: spec.dataset, epoch: 1 });
  const nights: { readonly share: number; readonly usage: Usage }[] = [];
  for (const [index, share] of [0, 1].entries()) {
    note(`${records.toLocaleString('en-US')} records, ${format}, ${share * 100} % of them repeats`);
    const cycle = nightEnding(`2018-08-0${index + 2}`, 1, spec);
    const objects = Array.from({ length: 4 }, (_, part): readonly RecordRange[] => [{ from: (part * records) / 4, to: ((part + 1) * records) / 4 }]);
    for (const [part, ranges] of objects.entries()) {
      const body = await objectOf(ranges, { format, days: 1, lastDay: DAY }, scratch);
      await putRaw(deps, rawKey(`2018-08-0${index + 1}T23`, `part-${part}${format === 'parquet' ? '.parquet' : '.json.gz'}`, spec), body);
    }
    const { chunkCount } = await discover(deps, cycle, spec);
    const { result, usage } = await measured([spark.pid], () => sparkRound(spark, deps, { cycle, spec, epoch: 1, chunk: 0 }));
    expectAll(result, records, share, cycle, chunkCount);
    await run(createBatchActivities(deps).markObjects, { cycle, spec, state: 'loaded' as const });
    nights.push({ share, usage });
  }
  return nights;
}

function expectAll(counts: RecordCounts | undefined, read: number, share: number, cycle: CycleRef, chunkCount: number): void {
  const stored = read * (1 - share);
  if (chunkCount === 1 && counts?.read === read && counts.stored === stored) return;
  throw new Error(`${cycle.intervalEnd}: expected ${stored} of ${read} records stored by one run, found ${JSON.stringify(counts)} in ${chunkCount} chunks`);
}
