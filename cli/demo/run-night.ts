import type { S3Client } from '@aws-sdk/client-s3';
import { type Client as TemporalClient, WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from '@temporalio/client';
import type { Pool } from 'pg';
import { cycleWorkflowId } from '../../domain/cycle';
import { cycleDetails } from '../../domain/cycle-details';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { CycleReport, StageProgress } from '../../domain/progress';
import { retryLine, stageLine } from '../cycle-text';
import { followCycle } from '../follow-cycle';
import type { Output } from '../output';
import { putObjects } from './demo-s3';
import type { DemoNight } from './nights';
import { startReaders } from './reader-loop';
import { type NightSummary, summariseNight, windowOf } from './summary';

export interface NightInput {
  readonly night: DemoNight;
  readonly spec: PipelineSpec;
  readonly rawBucket: string;
  readonly taskQueue: string;
  readonly s3: S3Client;
  readonly pool: Pool;
  readonly temporal: TemporalClient;
  /** For the readers. */
  readonly readerEnv: NodeJS.ProcessEnv;
  /** Rejects when the worker is gone: nobody would end the cycle. */
  readonly workerLost: Promise<never>;
  readonly output: Output;
}

/** Delivers a night's objects, runs its cycle with readers beside it, and sums it up. */
export async function runNight(input: NightInput): Promise<NightSummary> {
  const { night, spec, output } = input;
  const bytes = night.objects.reduce((sum, { body }) => sum + body.length, 0);
  output.note(`\nNight until ${night.intervalEnd}: ${night.title}`);
  await putObjects(input.s3, input.rawBucket, night.objects, (done) => output.advance('deliver', done, night.objects.length, 'objects'));
  output.note(`  ✔ deliver   ${night.objects.length} objects, ${(bytes / 1_048_576).toFixed(1)} MiB`);
  const readers = startReaders(input.readerEnv);
  try {
    const report = await runCycle(input, () => readers.hurry());
    const { summary, faults } = await readers.finish(windowOf(report, 'promote'));
    for (const fault of faults) output.note(`  readers: ${fault}`);
    return summariseNight(report, await servedRows(input.pool, spec), summary);
  } finally {
    readers.abandon();
  }
}

/** Starts the night's cycle as the CLI would, and follows it; a cycle without a worker is terminated, since it would never end. */
async function runCycle({ night, spec, taskQueue, temporal, workerLost, output }: NightInput, onLoad: () => void): Promise<CycleReport> {
  const workflowId = cycleWorkflowId(spec.name, night.intervalEnd);
  const handle = await temporal.workflow.start('etlCycle', {
    workflowId,
    taskQueue,
    args: [{ pipeline: spec.name, intervalEnd: night.intervalEnd }],
    workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
    workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
    staticSummary: `${spec.name} until ${night.intervalEnd} (demo)`,
    staticDetails: cycleDetails(spec, night.intervalEnd),
  });
  const lost = workerLost.catch(async (error: unknown) => {
    await handle.terminate('the demo lost its worker');
    throw error;
  });
  const followed = followCycle(temporal, workflowId, {
    stage: (row: StageProgress) => {
      if (row.stage === 'load' && row.state === 'running') onLoad();
      output.note(`  ${stageLine(row)}`);
    },
    advance: (stage, done, total, unit) => output.advance(stage, done, total, unit),
    retry: (stage, activity, attempt, message) => output.note(retryLine(stage, activity, attempt, message)),
  });
  try {
    return await Promise.race([followed, lost]);
  } finally {
    // The connection is closed behind it: no poll may be left.
    await followed.catch(() => undefined);
    lost.catch(() => undefined);
  }
}

/** What the views really serve now, by relation; views that do not exist serve nothing. */
async function servedRows(pool: Pool, spec: PipelineSpec): Promise<Readonly<Record<string, number>>> {
  const served: Record<string, number> = {};
  for (const { name, view } of spec.relations) {
    const { rows: found } = await pool.query<{ found: boolean }>('select to_regclass($1) is not null as found', [`public.${view}`]);
    if (found[0]?.found !== true) continue;
    const { rows } = await pool.query<{ rows: number }>(`select count(*)::int as rows from public.${view}`);
    served[name] = rows[0]?.rows ?? 0;
  }
  return served;
}
