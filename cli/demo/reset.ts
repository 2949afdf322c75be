import { type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import type { Client as TemporalClient } from '@temporalio/client';
import type { Pool } from 'pg';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { deleteDataset } from './demo-dynamodb';
import { emptyPrefix } from './demo-s3';
import { settingOf } from './demo-environment';
import { resetServing } from './reset-serving';

export interface ResetInput {
  readonly spec: PipelineSpec;
  readonly env: Readonly<Record<string, string>>;
  /** Prefixes of raw objects that the demo delivers; others of the pipeline stay. */
  readonly rawPrefixes: readonly string[];
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
  readonly pool: Pool;
  readonly temporal: TemporalClient;
}

/**
 * Takes away what earlier demos of this pipeline left: running cycles, objects, ledger, versions and views. Safe to run twice. What
 * is kept: the cycle records and the turn, so that a generation, a job's token and an epoch are never used for a second thing.
 * @returns one sentence of what was taken away
 */
export async function resetDemo({ spec, env, rawPrefixes, s3, dynamodb, pool, temporal }: ResetInput): Promise<string> {
  const terminated = await terminateCycles(temporal, spec.name);
  const versions = await resetServing(pool, spec);
  const bucket = (name: string) => settingOf(env, `MERIDIAN_${name}_BUCKET`);
  const prefixes: readonly (readonly [string, string])[] = [
    ...rawPrefixes.map((prefix) => [bucket('RAW'), prefix] as const),
    [bucket('STORAGE'), `${spec.dataset}/`],
    [bucket('REFINED'), `${spec.name}/`],
    [bucket('QUARANTINE'), `${spec.name}/`],
    [bucket('ARTIFACTS'), `cycles/${spec.name}/`],
  ];
  let objects = 0;
  for (const [name, prefix] of prefixes) objects += await emptyPrefix(s3, name, prefix);
  let items = 0;
  for (const table of ['LEDGER', 'OBJECTS']) items += await deleteDataset(dynamodb, settingOf(env, `MERIDIAN_${table}_TABLE`), spec.dataset);
  return `${terminated} running cycles, ${objects} objects, ${items} ledger items, ${versions} versions of earlier demos`;
}

async function terminateCycles(temporal: TemporalClient, pipeline: string): Promise<number> {
  let terminated = 0;
  for await (const execution of temporal.workflow.list({ query: `WorkflowType = "etlCycle" and ExecutionStatus = "Running"` })) {
    if (!execution.workflowId.startsWith(`etl/${pipeline}-`)) continue;
    await temporal.workflow.getHandle(execution.workflowId, execution.runId).terminate('reset by `meridian demo`');
    terminated += 1;
  }
  return terminated;
}
