/** The product's discovery in a process of its own, whose CPU and memory are the worker's and nothing else's. */
import { DynamoDBClient, type DynamoDBClientConfig } from '@aws-sdk/client-dynamodb';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { type BatchDependencies, createBatchActivities } from '../../../activities/batches';
import type { CycleRef } from '../../../domain/cycle';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import { run } from '../../../test/dedup/support/nights';
import { eachOrder, taskOfChild } from '../../engines/child';

export interface DiscoveryTask {
  readonly s3: S3ClientConfig;
  readonly dynamodb: DynamoDBClientConfig;
  readonly names: Pick<BatchDependencies, 'buckets' | 'objectsTable'>;
}

/** `discoverBatches` for the cycle, or `markObjects`: what it found is loaded. */
export interface DiscoveryOrder {
  readonly step: 'discoverBatches' | 'markObjects';
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
}

const { s3, dynamodb, names } = taskOfChild<DiscoveryTask>();
const batches = createBatchActivities({ ...names, s3: new S3Client(s3), dynamodb: new DynamoDBClient(dynamodb) });

eachOrder<DiscoveryOrder>(async ({ step, cycle, spec }) =>
  step === 'markObjects' ? run(batches.markObjects, { cycle, spec, state: 'loaded' as const }) : run(batches.discoverBatches, { cycle, spec }),
);
