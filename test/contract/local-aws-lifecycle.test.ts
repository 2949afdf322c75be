import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient, CreateTableCommand, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import {
  CreateApplicationCommand,
  EMRServerlessClient,
  GetJobRunCommand,
  StartJobRunCommand,
} from '@aws-sdk/client-emr-serverless';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { type LocalAws, startLocalAws } from '../support/local-aws';
import { processesThatMention } from '../support/processes-mentioning';
import { createServiceRole } from '../support/service-role';

const SNAPSHOT_SECONDS = 1;

let aws: LocalAws;
let emr: EMRServerlessClient;
let s3: S3Client;
let dynamo: DynamoDBClient;
let applicationId: string;

beforeAll(async () => {
  aws = await startLocalAws({ MERIDIAN_SNAPSHOT_SECONDS: String(SNAPSHOT_SECONDS) });
  await createServiceRole(aws, 'spark-job', 'emr-serverless.amazonaws.com');
  emr = new EMRServerlessClient(aws.clientConfig);
  s3 = new S3Client(aws.clientConfig);
  dynamo = new DynamoDBClient(aws.clientConfig);
  await s3.send(new CreateBucketCommand({ Bucket: 'artifacts' }));
  // In a process group of its own, as PySpark's worker daemon is.
  const sleeper = 'import subprocess, sys\nsubprocess.run(["sleep", sys.argv[1]], process_group=0)\n';
  await s3.send(new PutObjectCommand({ Bucket: 'artifacts', Key: 'sleep.py', Body: sleeper }));
  const made = await emr.send(
    new CreateApplicationCommand({
      name: 'meridian',
      releaseLabel: 'emr-7.5.0',
      type: 'SPARK',
      clientToken: randomUUID(),
    }),
  );
  applicationId = made.applicationId ?? '';
  await dynamo.send(
    new CreateTableCommand({
      TableName: 'ledger',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    }),
  );
}, 90_000);

afterAll(async () => {
  for (const client of [emr, s3, dynamo]) client.destroy();
  await aws.stop();
});

/** Starts a job that sleeps, and waits for the process that the JVM's own end would leave behind. */
async function startSleeper(): Promise<{ readonly jobRunId: string; readonly processes: () => readonly number[] }> {
  const seconds = `7${Math.floor(Math.random() * 1e8)}`;
  const { jobRunId = '' } = await emr.send(
    new StartJobRunCommand({
      applicationId,
      clientToken: randomUUID(),
      executionRoleArn: 'arn:aws:iam::000000000000:role/spark-job',
      jobDriver: { sparkSubmit: { entryPoint: 's3://artifacts/sleep.py', entryPointArguments: [seconds] } },
    }),
  );
  while (processesThatMention(`sleep\0${seconds}`).length === 0) await sleep(50);
  return { jobRunId, processes: () => processesThatMention(seconds) };
}

function savedAt(): number {
  return statSync(join(aws.home, 'state', 'dynamodb.json'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

async function until(reached: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await reached())) {
    if (Date.now() > deadline) throw new Error('Not reached within 30 s');
    await sleep(50);
  }
}

test('a stop ends its jobs and records them as failed, and a start over the same state knows everything (I7)', async () => {
  const { jobRunId, processes } = await startSleeper();
  await dynamo.send(new PutItemCommand({ TableName: 'ledger', Item: { pk: { S: 'before the stop' } } }));

  await aws.terminate();
  expect(processes()).toEqual([]);
  await aws.restart();

  const { jobRun } = await emr.send(new GetJobRunCommand({ applicationId, jobRunId }));
  expect(jobRun).toMatchObject({
    state: 'FAILED',
    stateDetails: expect.stringContaining('emulator was stopped') as string,
  });
  expect(
    (await dynamo.send(new GetItemCommand({ TableName: 'ledger', Key: { pk: { S: 'before the stop' } } }))).Item,
  ).toBeDefined();
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'artifacts', Key: 'sleep.py' }));
  expect(await Body?.transformToString()).toContain('sleep');
}, 120_000);

test('a SIGKILL of the emulator leaves no process either, and costs at most what came after the last snapshot (I7)', async () => {
  const { jobRunId, processes } = await startSleeper();
  await dynamo.send(new PutItemCommand({ TableName: 'ledger', Item: { pk: { S: 'before the kill' } } }));
  for (let snapshots = 0; snapshots < 2; snapshots += 1) {
    // Two, since one may have been under way already; a request makes the next one due.
    const before = savedAt();
    await until(async () => {
      await emr.send(new GetJobRunCommand({ applicationId, jobRunId }));
      return savedAt() > before;
    });
  }

  await aws.kill();
  await until(() => processes().length === 0);
  await aws.restart();

  const { jobRun } = await emr.send(new GetJobRunCommand({ applicationId, jobRunId }));
  expect(jobRun).toMatchObject({
    state: 'FAILED',
    stateDetails: expect.stringContaining('emulator was stopped') as string,
  });
  expect(
    (await dynamo.send(new GetItemCommand({ TableName: 'ledger', Key: { pk: { S: 'before the kill' } } }))).Item,
  ).toBeDefined();
}, 120_000);

test('an environment that lacks something is refused at once, with every fault named', async () => {
  await expect(startLocalAws({ MERIDIAN_SPARK_JARS: '/nonexistent', MERIDIAN_SPARK_CORES: 'many' })).rejects.toThrow(
    /MERIDIAN_SPARK_JARS[\s\S]*MERIDIAN_SPARK_CORES|MERIDIAN_SPARK_CORES[\s\S]*MERIDIAN_SPARK_JARS/,
  );
});
