import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EMRServerlessClient } from '@aws-sdk/client-emr-serverless';
import { GlueClient } from '@aws-sdk/client-glue';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import { Client, Connection, WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { CancelledFailure, TerminatedFailure } from '@temporalio/common';
import { Pool } from 'pg';
import { CycleOutcome, cycleWorkflowId } from '../../domain/cycle';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { CycleReport } from '../../domain/progress';
import { readWorkerConfig } from '../../worker/config';
import type { etlCycle } from '../../workflows';
import { OutcomeQueue } from './audit/outcome-queue';
import type { AuditAccess } from './audit/subject';
import { declareTables } from './engines/catalog';
import { Engines } from './engines/engines';
import { Workers } from './engines/workers';
import { nightEnd, type RawUpload } from './raw-night';

/** What a night came to, as its execution ended. `stuck`: it did not end in time. */
export type NightOutcome = CycleOutcome | 'terminated' | 'stuck';
export interface EndedNight {
  readonly outcome: NightOutcome;
  readonly detail: string;
}

const TASK_QUEUE = 'meridian';

/** Engines, workers and clients for scenarios, one after another. What it has in `access` goes past the proxies: it only looks. */
export class Lab {
  private constructor(
    readonly engines: Engines,
    readonly workers: Workers,
    readonly access: AuditAccess,
    readonly outcomes: OutcomeQueue,
  ) {}

  /** @param auth - the local AWS enforces its policies */
  static async start(pipelines: readonly PipelineSpec[], auth = false): Promise<Lab> {
    const engines = await Engines.start(auth);
    const workers = new Workers(engines, pipelines);
    try {
      return await Lab.open(engines, workers, pipelines);
    } catch (error) {
      // Nobody has a lab to stop, and the engines would outlive the run.
      await workers.stop();
      await engines.stop();
      throw error;
    }
  }

  private static async open(engines: Engines, workers: Workers, pipelines: readonly PipelineSpec[]): Promise<Lab> {
    await workers.restart();
    const { env, passwords } = engines;
    const { AWS_ENDPOINT_URL: endpoint = '', AWS_REGION: region = '', AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = env;
    const aws = { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
    const names = readWorkerConfig(env);
    const sns = new SNSClient(aws);
    const sqs = new SQSClient(aws);
    const outcomes = await OutcomeQueue.open(sqs, sns, names.outcomeTopicArn, 'fault-harness');
    sns.destroy();
    const pool = new Pool({ host: env['PGHOST'], port: Number(env['PGPORT']), database: env['PGDATABASE'], user: 'postgres', password: passwords.postgres, max: 4 });
    // A connection that the server ends while it idles: the next query takes another.
    pool.on('error', () => undefined);
    const access = {
      s3: new S3Client(aws),
      dynamodb: new DynamoDBClient(aws),
      emr: new EMRServerlessClient(aws),
      glue: new GlueClient(aws),
      pool,
      temporal: new Client({ connection: await Connection.connect({ address: env['TEMPORAL_ADDRESS'] ?? '' }) }),
      names,
    };
    for (const spec of pipelines) await declareTables(access.glue, names, spec);
    return new Lab(engines, workers, access, outcomes);
  }

  /** Puts a night's raw objects where a gateway would. */
  async upload(uploads: readonly RawUpload[]): Promise<void> {
    for (const { key, lines } of uploads) {
      const body = lines.map((line) => `${line.text}\n`).join('');
      await this.access.s3.send(new PutObjectCommand({ Bucket: this.engines.env['MERIDIAN_RAW_BUCKET'], Key: key, Body: body }));
    }
  }

  /** Says how the scripted Spark job and rule evaluator of one night behave (scripted/transform.py, scripted/evaluate.py). */
  async script(spec: PipelineSpec, index: number, behaviour: Readonly<Record<string, unknown>>): Promise<void> {
    const body = JSON.stringify({ [nightEnd(index)]: behaviour });
    await this.access.s3.send(new PutObjectCommand({ Bucket: this.engines.env['MERIDIAN_ARTIFACTS_BUCKET'], Key: `faults/${spec.name}.json`, Body: body }));
  }

  async startNight(spec: PipelineSpec, index: number): Promise<WorkflowHandle<typeof etlCycle>> {
    const intervalEnd = nightEnd(index);
    return this.access.temporal.workflow.start<typeof etlCycle>('etlCycle', {
      workflowId: cycleWorkflowId(spec.name, intervalEnd),
      taskQueue: TASK_QUEUE,
      args: [{ pipeline: spec.name, intervalEnd }],
    });
  }

  async ended(handle: WorkflowHandle, limitMs: number): Promise<EndedNight> {
    const timer = new AbortController();
    const late = sleep(limitMs, undefined, { signal: timer.signal }).then(
      () => ({ outcome: 'stuck', detail: `no end within ${limitMs / 1_000} s` }) as const,
      () => new Promise<never>(() => undefined),
    );
    try {
      return await Promise.race([outcomeOf(this.access.temporal, handle.workflowId), late]);
    } finally {
      timer.abort();
    }
  }

  async stop(): Promise<void> {
    await this.workers.stop();
    const { temporal, pool, s3, dynamodb, emr, glue } = this.access;
    await Promise.all([temporal.connection.close(), pool.end()]);
    this.outcomes.close();
    for (const client of [s3, dynamodb, emr, glue]) client.destroy();
    await this.engines.stop();
  }
}

/** Of the newest run: a reset ends one and goes on in another. */
async function outcomeOf(client: Client, workflowId: string): Promise<EndedNight> {
  for (;;) {
    try {
      const report = (await client.workflow.getHandle(workflowId).result()) as Partial<CycleReport>;
      // A rollback and a backfill report no outcome of a cycle: they have done it, or they fail.
      return { outcome: report.outcome ?? CycleOutcome.Promoted, detail: report.reason ?? '' };
    } catch (error) {
      if (error instanceof WorkflowFailedError && !(await isRunning(client, workflowId))) {
        return { outcome: outcomeOfFailure(error), detail: deepest(error).message };
      }
      // The server itself was away: it comes back, or the limit ends this wait.
      await sleep(200);
    }
  }
}

async function isRunning(client: Client, workflowId: string): Promise<boolean> {
  const { status } = await client.workflow.getHandle(workflowId).describe();
  return status.name === 'RUNNING';
}

function outcomeOfFailure({ cause }: WorkflowFailedError): NightOutcome {
  if (cause instanceof TerminatedFailure) return 'terminated';
  return cause instanceof CancelledFailure ? 'cancelled' : 'failed';
}

function deepest(error: Error): Error {
  return error.cause instanceof Error ? deepest(error.cause) : error;
}
