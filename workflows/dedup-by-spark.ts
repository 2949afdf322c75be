import { ApplicationFailure } from '@temporalio/workflow';
import { addCounts, NO_RECORDS } from '../domain/conservation';
import type { CycleRef } from '../domain/cycle';
import type { RecordCounts } from '../domain/documents';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { addSparkUsage, NO_SPARK, type SparkUsage } from '../domain/spark-usage';
import { dataStep, shortStep, waitStep } from './activity-options';
import type { DiscoveredBatch } from './dedup-batch';
import { describedActivities, promptActivities } from './described-activities';

const short = promptActivities(shortStep);
const data = describedActivities(dataStep);
const wait = describedActivities(waitStep);

/** Each is lost to somebody who committed to one of the chunk's dates: while the turn is held that is a late attempt of its last holder. */
const MAX_ROUNDS = 5;

export interface SparkDedup {
  readonly counts: RecordCounts;
  readonly spark: SparkUsage;
}

/** Deduplicates a batch chunk by chunk in manifest order, each by a Spark run over the ledger's own storage (docs/decisions/0031). */
export async function dedupBySpark(
  spec: PipelineSpec,
  cycle: CycleRef,
  batch: DiscoveredBatch,
  epoch: number,
  onProgress: (soFar: RecordCounts, jobRunId: string) => void,
): Promise<SparkDedup> {
  let sum: SparkDedup = { counts: NO_RECORDS, spark: NO_SPARK };
  for (let chunk = 0; chunk < batch.chunkCount; chunk++) {
    const soFar = sum.counts;
    const done = await dedupChunk(spec, cycle, chunk, epoch, (jobRunId) => onProgress(soFar, jobRunId));
    sum = { counts: addCounts(sum.counts, done.counts), spark: addSparkUsage(sum.spark, done.spark) };
  }
  return sum;
}

async function dedupChunk(spec: PipelineSpec, cycle: CycleRef, chunk: number, epoch: number, onSubmitted: (jobRunId: string) => void): Promise<SparkDedup> {
  let spark = NO_SPARK;
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const { input, committed: earlier } = await data.prepareDedupJob({ cycle, spec, chunk, round });
    if (earlier !== undefined) return { counts: earlier, spark };
    const job = await short.submitDedupJob({ cycle, spec, chunk, round, input });
    onSubmitted(job.jobRunId);
    spark = addSparkUsage(spark, await wait.awaitSparkJob({ cycle, spec, job }));
    const { committed } = await data.commitDedupJob({ spec, epoch, input });
    if (committed !== undefined) return { counts: committed, spark };
  }
  throw ApplicationFailure.nonRetryable(
    `Chunk ${chunk} of ${cycle.pipeline} until ${cycle.intervalEnd} lost ${MAX_ROUNDS} rounds to other writers of "${spec.dataset}"`,
    FailureType.LedgerRefused,
  );
}
