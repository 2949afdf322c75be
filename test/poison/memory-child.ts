/**
 * Runs one night over what lies in the raw bucket, in a process of its own, and stays until its standard input ends so that its
 * peak memory can be read from outside. One argument: `Task` as JSON. Prints the night's counts as one line of JSON.
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import type { RawLimits } from '../../activities/ledger/line-splitter';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { Deps } from '../dedup/support/ledger-stack';
import { nightEnding, runNight } from '../dedup/support/nights';
import type { LocalAws } from '../support/local-aws';

/** What the child is given: names of buckets and tables, no clients. */
export interface Task {
  readonly clientConfig: LocalAws['clientConfig'];
  readonly deps: Omit<Deps, 's3' | 'dynamodb'> & { readonly s3?: undefined; readonly dynamodb?: undefined };
  readonly spec: PipelineSpec;
  readonly limits: RawLimits;
}

async function main(): Promise<void> {
  const { clientConfig, deps, spec, limits } = JSON.parse(process.argv[2] ?? '') as Task;
  const clients = { s3: new S3Client(clientConfig), dynamodb: new DynamoDBClient(clientConfig) };
  const { counts } = await runNight({ ...deps, ...clients, rawLimits: limits }, nightEnding('2018-08-02', 1, spec), { spec });
  process.stdout.write(`${JSON.stringify(counts)}\n`);
  for await (const _rest of process.stdin) void _rest;
}

void main();
