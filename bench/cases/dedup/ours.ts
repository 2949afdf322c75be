/** The product's own activities in a process of their own, whose CPU and memory are the worker's and nothing else's. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { createBatchActivities } from '../../../activities/batches';
import { createLedgerActivities, type DedupChunksResult } from '../../../activities/ledger';
import type { CycleRef } from '../../../domain/cycle';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import type { Deps } from '../../../test/dedup/support/ledger-stack';
import { discover, run } from '../../../test/dedup/support/nights';
import type { LocalAws } from '../../../test/support/local-aws';
import { eachOrder, taskOfChild } from '../../engines/child';
import { meterReads } from '../../engines/read-meter';

export interface OurTask {
  readonly clientConfig: LocalAws['clientConfig'];
  readonly deps: Omit<Deps, 's3' | 'dynamodb'> & { readonly s3?: undefined; readonly dynamodb?: undefined }; // names, no clients
}

/** `discover` what lies in the raw bucket for the cycle, `dedup` it, and `mark` its objects loaded. */
export interface OurOrder {
  readonly step: 'discover' | 'dedup' | 'mark';
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
}
export interface OurAnswer extends DedupChunksResult {
  readonly chunkCount: number;
  /** Partition keys that DynamoDB was asked to read, each as often as it was named. */
  readonly partitionsRead: readonly string[];
}

const { clientConfig, deps: names } = taskOfChild<OurTask>();
const deps: Deps = { ...names, s3: new S3Client(clientConfig), dynamodb: new DynamoDBClient(clientConfig) };
const batches = createBatchActivities(deps);
const ledger = createLedgerActivities(deps);
let chunkCount = 0;
const reads = meterReads(deps.dynamodb);

eachOrder<OurOrder>(async ({ step, cycle, spec }) => {
  if (step === 'discover') {
    ({ chunkCount } = await discover(deps, cycle, spec));
    await run(ledger.raiseFence, { dataset: spec.dataset, epoch: 1 });
    return { chunkCount };
  }
  if (step === 'mark') return run(batches.markObjects, { cycle, spec, state: 'loaded' });
  reads.reset();
  const result = await run(ledger.dedupChunks, { cycle, spec, fromChunk: 0, toChunk: chunkCount, epoch: 1 });
  return { ...result, capacity: { ...result.capacity, readUnits: reads.units }, chunkCount, partitionsRead: reads.partitions } satisfies OurAnswer;
});
