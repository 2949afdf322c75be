import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowIdConflictPolicy, WorkflowIdReusePolicy, WorkflowNotFoundError } from '@temporalio/client';
import type { DiffDocument, DryRunReport } from '../domain/dry-run';
import type { CycleProgress } from '../domain/progress';
import { dryRunWorkflowId } from '../domain/shadow-pipeline';
import { withTransportCheck } from '../edge/aws-endpoints';
import { dryRunText } from './diff-text';
import { type CycleWatcher, followCycle } from './follow-cycle';
import { type Output, UsageError } from './output';

export interface DryRunOptions {
  readonly keepHours?: string;
  readonly drop?: boolean;
  readonly wait: boolean;
}

const MOST_KEEP_HOURS = 168;

/**
 * Runs a dry run and prints what would change; it goes on to keep its shadow after that.
 * @returns false when a cycle would not be promoted
 */
export async function runDry(
  client: Client,
  cycle: { readonly pipeline: string; readonly intervalEnd: string },
  options: DryRunOptions,
  output: Output,
  watcher: CycleWatcher,
): Promise<boolean> {
  const workflowId = dryRunWorkflowId(cycle.pipeline, cycle.intervalEnd);
  if (options.drop === true) {
    await drop(client, workflowId);
    output.result({ workflowId, dropped: true }, `The shadow of ${workflowId} is dropped`);
    return true;
  }
  const keepHours = requestedHours(options.keepHours);
  const input = { ...cycle, ...(keepHours === undefined ? {} : { keepHours }) };
  if (!(await start(client, workflowId, input))) {
    await expectKept(client, workflowId);
    output.note(`${workflowId} keeps the shadow of an earlier dry run: it is dropped first`);
    await drop(client, workflowId);
    if (!(await start(client, workflowId, input))) throw stillRuns(workflowId);
  }
  if (!options.wait) {
    output.result({ workflowId, ...cycle }, `Started ${workflowId}`);
    return true;
  }
  const reported = () => client.workflow.getHandle(workflowId).query<DryRunReport | undefined>('report').catch(() => undefined);
  const report = await followCycle<DryRunReport>(client, workflowId, watcher, reported);
  const diff = report.diff === undefined ? undefined : await readDiff(report.diff.document);
  output.result({ ...report, ...(diff === undefined ? {} : { diff: { ...report.diff, ...diff } }) }, dryRunText(report, diff));
  return report.outcome === 'promoted' || report.outcome === 'empty';
}

/** @returns false when an execution of that id runs */
async function start(client: Client, workflowId: string, input: { readonly pipeline: string; readonly intervalEnd: string }): Promise<boolean> {
  try {
    await client.workflow.start('dryRun', {
      workflowId,
      taskQueue: process.env.MERIDIAN_TASK_QUEUE ?? 'meridian',
      args: [input],
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
      staticSummary: `dry run of ${input.pipeline} until ${input.intervalEnd}`,
    });
    return true;
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return false;
  }
}

async function drop(client: Client, workflowId: string): Promise<void> {
  const handle = client.workflow.getHandle(workflowId);
  try {
    await handle.signal('drop');
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    throw new Error(`No dry run ${workflowId} is running, so it keeps nothing; one that was terminated is cleared away by the next dry run of the pipeline`);
  }
  await handle.result();
}

async function expectKept(client: Client, workflowId: string): Promise<void> {
  const progress = await client.workflow.getHandle(workflowId).query<CycleProgress>('progress');
  if (!progress.stages.some(({ stage, state }) => stage === 'keep' && state === 'running')) throw stillRuns(workflowId);
}

function stillRuns(workflowId: string): Error {
  return new Error(`The dry run ${workflowId} is already running: wait for it, or cancel it with \`temporal workflow cancel --workflow-id ${workflowId}\``);
}

/** @throws UsageError */
function requestedHours(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const hours = Number(text);
  if (text.trim() !== '' && hours >= 0 && hours <= MOST_KEEP_HOURS) return hours;
  throw new UsageError(`--keep-hours: expected a number from 0 to ${MOST_KEEP_HOURS}, found "${text}"`);
}

async function readDiff({ bucket, key }: { readonly bucket: string; readonly key: string }): Promise<DiffDocument> {
  const s3 = withTransportCheck(new S3Client({}));
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return JSON.parse((await Body?.transformToString()) ?? '') as DiffDocument;
  } finally {
    s3.destroy();
  }
}
