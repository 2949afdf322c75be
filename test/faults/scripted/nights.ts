import { randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateApplicationCommand, EMRServerlessClient, GetJobRunCommand, type JobRun, StartJobRunCommand } from '@aws-sdk/client-emr-serverless';
import {
  AlreadyExistsException,
  CreateDatabaseCommand,
  CreateDataQualityRulesetCommand,
  CreatePartitionCommand,
  CreateTableCommand,
  type DataQualityRuleResult,
  GetDataQualityResultCommand,
  GetDataQualityRulesetEvaluationRunCommand,
  GlueClient,
  StartDataQualityRulesetEvaluationRunCommand,
} from '@aws-sdk/client-glue';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { type CycleRef, cycleId, generationPrefix } from '../../../domain/cycle';
import type { JobManifest, TransformInput } from '../../../domain/documents';
import { intervalEndingAt } from '../../../domain/calendar';
import { type QualityStep, rulesetName, rulesetText } from '../../../domain/ruleset';
import type { LocalAws } from '../../support/local-aws';
import { createServiceRole } from '../../support/service-role';
import { relationPrefix } from '../pipeline';

/** Settings of the local AWS with which the scripts of this folder do the work of Spark and of Deequ. */
export const SCRIPTED = {
  MERIDIAN_SPARK_SUBMIT: join(__dirname, 'submit.py'),
  MERIDIAN_QUALITY_EVALUATOR: join(__dirname, 'evaluate.py'),
} as const;

export const LAKE = { storage: 'storage', refined: 'refined', quarantine: 'quarantine', artifacts: 'lake-artifacts' } as const;

export interface StoredFile {
  readonly key: string;
  readonly rowCount: number;
  readonly added: boolean;
}

export interface Checked {
  readonly status: 'SUCCEEDED' | 'FAILED';
  readonly error?: string;
  readonly rules: readonly DataQualityRuleResult[];
}

/** Nights of one pipeline, by the January day of 2024 at whose start their interval ends; without a worker or a ledger. */
export type Nights = Awaited<ReturnType<typeof openNights>>;

/** Makes buckets, application and catalog in a local AWS that was started with `SCRIPTED`. */
export async function openNights(aws: LocalAws, pipeline: string) {
  const s3 = new S3Client(aws.clientConfig);
  const emr = new EMRServerlessClient(aws.clientConfig);
  const glue = new GlueClient(aws.clientConfig);
  const dataset = relationPrefix(pipeline);
  const table = { DatabaseName: 'lake', TableName: `${dataset}_candidate` };

  const executionRoleArn = await createServiceRole(aws, 'spark-job', 'emr-serverless.amazonaws.com');
  const Role = await createServiceRole(aws, 'quality', 'glue.amazonaws.com');
  for (const bucket of Object.values(LAKE)) await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  await put(LAKE.artifacts, 'jobs/positions.py', 'raise SystemExit("never run: a script does its work")');
  await put(LAKE.artifacts, 'jobs/meridian_jobs.zip', 'no archive: nobody opens it');
  const application = { name: 'scripted', releaseLabel: 'emr-7.5.0', type: 'SPARK', clientToken: randomUUID() };
  const { applicationId } = await emr.send(new CreateApplicationCommand(application));
  await glue.send(new CreateDatabaseCommand({ DatabaseInput: { Name: table.DatabaseName } }));
  const PartitionKeys = ['run_id', 'origin'].map((Name) => ({ Name, Type: 'string' }));
  await glue.send(new CreateTableCommand({ ...table, TableInput: { Name: table.TableName, PartitionKeys, StorageDescriptor: { Columns: [] } } }));

  async function put(bucket: string, key: string, body: string | Uint8Array): Promise<void> {
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
  }

  async function read(uri: string): Promise<Buffer> {
    const [, , bucket, ...key] = uri.split('/');
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key.join('/') }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  }

  function cycle(day: number): CycleRef {
    const { start, end } = intervalEndingAt(`2024-01-${String(day).padStart(2, '0')}T00:00:00Z`, { intervalHours: 24 });
    return { pipeline, dataset, intervalStart: start, intervalEnd: end, generation: 1 };
  }

  const outputUri = (day: number) => `s3://${LAKE.refined}/${generationPrefix(cycle(day))}/`;

  return {
    s3,
    emr,
    applicationId: applicationId ?? '',
    cycle,
    read,

    /** A storage file as dedup writes it: record i at (i / 10, i / 100), i seconds into 2024; every tenth device's name has a NUL. */
    async store(key: string, rows: number, day: number): Promise<void> {
      const file = join(aws.home, key);
      const script = `import sys, duckdb
duckdb.execute(f"""copy (select timestamp '2024-01-01' + to_seconds(i) as event_time, 'd' || i || if(i % 10 = 0, chr(0), '') as device_id,
  i / 10.0::double as longitude, i / 100.0::double as latitude, '{sys.argv[3]}' as cycle_id, 1::integer as generation,
  'night.jsonl' as raw_object, 'null' as raw_version, i as raw_line from range({sys.argv[2]}) t(i)) to '{sys.argv[1]}' (format parquet)""")`;
      execFileSync(aws.python, ['-c', script, file, String(rows), cycleId(cycle(day))]);
      await put(LAKE.storage, key, readFileSync(file));
    },

    /** Writes the pipeline's whole scenario: options by day. */
    async wish(byDay: Readonly<Record<number, object>>): Promise<void> {
      const byEnd = Object.fromEntries(Object.entries(byDay).map(([day, options]) => [cycle(Number(day)).intervalEnd, options]));
      await put(LAKE.artifacts, `faults/${pipeline}.json`, JSON.stringify(byEnd));
    },

    /** StartJobRun as the worker asks for it, until the run has ended. */
    async transform(day: number, stored: readonly StoredFile[]): Promise<JobRun> {
      const rowsOf = (files: readonly StoredFile[]) => files.reduce((sum, { rowCount }) => sum + rowCount, 0);
      const document: TransformInput = {
        cycle: cycle(day),
        cycleId: cycleId(cycle(day)),
        files: stored.map(({ key, rowCount, added }) => ({ uri: `s3://${LAKE.storage}/${key}`, rowCount, added })),
        rowCount: rowsOf(stored),
        addedRowCount: rowsOf(stored.filter(({ added }) => added)),
        references: {},
        outputUri: outputUri(day),
        quarantineUri: `s3://${LAKE.quarantine}/${generationPrefix(cycle(day))}/transform/`,
      };
      const key = `cycles/${generationPrefix(cycle(day))}/transform/input.json`;
      await put(LAKE.artifacts, key, JSON.stringify(document));
      const sparkSubmit = {
        entryPoint: `s3://${LAKE.artifacts}/jobs/positions.py`,
        entryPointArguments: [`s3://${LAKE.artifacts}/${key}`],
        sparkSubmitParameters: `--py-files s3://${LAKE.artifacts}/jobs/meridian_jobs.zip --conf spark.a=b`,
      };
      const { jobRunId } = await emr.send(
        new StartJobRunCommand({ applicationId, clientToken: randomUUID(), executionRoleArn, jobDriver: { sparkSubmit } }),
      );
      for (;;) {
        const { jobRun } = await emr.send(new GetJobRunCommand({ applicationId, jobRunId }));
        if (jobRun?.state === 'SUCCESS' || jobRun?.state === 'FAILED' || jobRun?.state === 'CANCELLED') return jobRun;
        await sleep(50);
      }
    },

    async manifest(day: number): Promise<JobManifest> {
      return JSON.parse((await read(`${outputUri(day)}_manifest.json`)).toString()) as JobManifest;
    },

    /** The gate's run of one step over a night's partitions, ruleset and predicate as the product names them. */
    async check(day: number, step: QualityStep, rules: readonly string[]): Promise<Checked> {
      const run = generationPrefix(cycle(day)).replaceAll('/', '-');
      for (const origin of ['added', 'kept']) {
        const Location = `${outputUri(day)}${dataset}_points/parquet/origin=${origin}/`;
        const PartitionInput = { Values: [run, origin], StorageDescriptor: { Location } };
        await glue.send(new CreatePartitionCommand({ ...table, PartitionInput })).catch(ignoreExisting);
      }
      const Name = rulesetName(pipeline, step, rules);
      await glue.send(new CreateDataQualityRulesetCommand({ Name, Ruleset: rulesetText(rules) })).catch(ignoreExisting);
      const pushDownPredicate = `run_id = '${run}' and ${step === 'added' ? "origin = 'added'" : "origin in ('added', 'kept')"}`;
      const DataSource = { GlueTable: { ...table, AdditionalOptions: { pushDownPredicate } } };
      const { RunId } = await glue.send(new StartDataQualityRulesetEvaluationRunCommand({ DataSource, Role, RulesetNames: [Name] }));
      for (;;) {
        const { Status, ResultIds, ErrorString } = await glue.send(new GetDataQualityRulesetEvaluationRunCommand({ RunId }));
        if (Status === 'FAILED') return { status: Status, error: ErrorString ?? '', rules: [] };
        if (Status === 'SUCCEEDED') {
          const { RuleResults } = await glue.send(new GetDataQualityResultCommand({ ResultId: ResultIds?.[0] }));
          return { status: Status, rules: RuleResults ?? [] };
        }
        await sleep(20);
      }
    },

    close(): void {
      for (const client of [s3, emr, glue]) client.destroy();
    },
  };
}

function ignoreExisting(error: unknown): void {
  if (!(error instanceof AlreadyExistsException)) throw error;
}
