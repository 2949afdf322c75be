import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowFailedError, WorkflowIdConflictPolicy, WorkflowNotFoundError } from '@temporalio/client';
import { type BackfillInput, type BackfillPlan, backfillWorkflowId, MOST_AT_ONCE, planIntervals } from '../domain/backfill';
import { type BackfillProgress, notLoadedCount, remainingMs } from '../domain/backfill-progress';
import { backfillIntervals } from '../domain/backfill-range';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { openDatabase } from '../sql/database';
import { medianCycleMs, readIntervalStates } from '../sql/queries/interval-states';
import { backfillPlanText, backfillProgressText } from './backfill-text';
import { loadStackEnvironment } from './environment';
import { failureOf } from './follow-cycle';
import { createOutput, type Output, UsageError } from './output';
import { declaredPipeline } from './pipelines';
import { checkSignature, signed, systemUser } from './signature';
import { withTemporal } from './temporal-client';
import { wholeNumberTo } from './whole-number';

interface StartOptions {
  readonly from?: string;
  readonly to?: string;
  readonly all?: boolean;
  readonly concurrency: number;
  readonly preview?: boolean;
  readonly wait: boolean;
  readonly by: string;
  readonly json?: boolean;
}
interface JsonOption {
  readonly json?: boolean;
}

const POLL_MS = 1_000;
/** A cycle that is being cancelled confirms the end of its job first. */
const CANCEL_LIMIT_MS = 15 * 60_000;

export function backfillCommand(): Command {
  const command = new Command('backfill')
    .description('run the intervals of a range that are not loaded, oldest first, behind the nightly; one backfill at a time of a pipeline')
    .argument('<pipeline>', 'a declared pipeline, see `meridian pipelines list`')
    // Not commander's own required options: those it would ask of `status` and the others too.
    .option('--from <instant>', 'start of the first interval, RFC 3339 (required)')
    .option('--to <instant>', 'end of the last interval, RFC 3339 (required)')
    .option('--all', 'also intervals that are loaded, empty or rejected (a loaded one finds nothing new: see `meridian rerun` to transform it again)')
    .option('--concurrency <n>', `cycles at once, 1 to ${MOST_AT_ONCE}; they take turns at the dataset`, wholeNumberTo(MOST_AT_ONCE), 1)
    .option('--by <name>', 'who asks for it, for the record', systemUser())
    .option('--preview', 'show what would run and how long it may take, and start nothing')
    .option('--no-wait', 'start it and return')
    .option('--json', 'one JSON document on stdout')
    .addHelpText(
      'after',
      '\nExit codes: 0 all loaded, 1 some were not or it was stopped, 2 wrong usage.\n' +
        "The same by Temporal's own CLI:\n" +
        `  temporal workflow start --type backfill --task-queue meridian --workflow-id backfill/<pipeline> --input '{"pipeline":"…","from":"…","to":"…"}'\n` +
        '  temporal workflow query --workflow-id backfill/<pipeline> --type backfillProgress\n' +
        '  temporal workflow signal --workflow-id backfill/<pipeline> --name pause    (or resume)\n' +
        '  temporal workflow cancel --workflow-id backfill/<pipeline>',
    )
    .action(start);
  command.addCommand(statusCommand());
  command.addCommand(pauseCommand());
  command.addCommand(resumeCommand());
  command.addCommand(cancelCommand());
  return command;
}

async function start(pipeline: string, options: StartOptions): Promise<void> {
  const spec = declaredPipeline(pipeline);
  const input = inputOf(spec, options);
  await loadStackEnvironment();
  const output = createOutput(options);
  const { plan, medianMs } = await preview(spec, input);
  const estimatedMs = medianMs === undefined ? undefined : remainingMs(medianMs, plan.due.length, input.concurrency ?? 1);
  const text = backfillPlanText(input, plan, estimatedMs);
  if (options.preview === true || plan.due.length === 0) return output.result({ ...input, ...plan, estimatedMs: estimatedMs ?? null }, text);
  output.note(text);
  await withTemporal(async (client) => {
    await startWorkflow(client, input);
    const workflowId = backfillWorkflowId(pipeline);
    if (!options.wait) return output.result({ workflowId, ...input }, `Started ${workflowId}: \`meridian backfill status ${pipeline}\` shows how far it is`);
    const progress = await follow(client, pipeline, output);
    output.result(progress, backfillProgressText(progress));
    if (progress.state !== 'done' || notLoadedCount(progress.outcomes) > 0) process.exitCode = 1;
  });
}

function inputOf(spec: PipelineSpec, { from, to, all, concurrency: atOnce, by }: StartOptions): BackfillInput {
  if (from === undefined || to === undefined) throw new UsageError('Say which intervals: --from <instant> --to <instant>, ends of intervals in RFC 3339');
  try {
    backfillIntervals(spec, { from, to }, new Date());
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  return { pipeline: spec.name, from, to, concurrency: atOnce, by, ...(all === true ? { all } : {}) };
}

async function preview(spec: PipelineSpec, { from, to, all = false }: BackfillInput): Promise<{ readonly plan: BackfillPlan; readonly medianMs: number | undefined }> {
  const database = openDatabase();
  try {
    const states = await readIntervalStates(database.db, { pipeline: spec.name, from, to });
    return { plan: planIntervals(backfillIntervals(spec, { from, to }, new Date()), states, all), medianMs: await medianCycleMs(database.db, spec.name) };
  } finally {
    await database.close();
  }
}

async function startWorkflow(client: Client, input: BackfillInput): Promise<void> {
  const workflowId = backfillWorkflowId(input.pipeline);
  try {
    await client.workflow.start('backfill', {
      workflowId,
      taskQueue: process.env.MERIDIAN_TASK_QUEUE ?? 'meridian',
      args: [input],
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
      staticSummary: `${input.pipeline}: backfill of [${input.from}, ${input.to})`,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const running = await progressOf(client, input.pipeline);
    throw new Error(
      `A backfill of ${input.pipeline} runs already, for [${running.from}, ${running.to}), and there is one at a time: follow it with ` +
        `\`meridian backfill status ${input.pipeline}\`, or end it with \`meridian backfill cancel ${input.pipeline}\``,
    );
  }
}

/** Shows how far it is until it ends. @throws Error with what stopped it */
async function follow(client: Client, pipeline: string, output: Output): Promise<BackfillProgress> {
  const ended = client.workflow
    .getHandle(backfillWorkflowId(pipeline))
    .result()
    .then((report: BackfillProgress) => ({ report }), (error: unknown) => ({ error }));
  for (let named = 0; ; ) {
    const end = await Promise.race([ended, sleep(POLL_MS)]);
    // A query that fails, as while the worker restarts, is asked again; the result ends the wait.
    const progress = await progressOf(client, pipeline).catch(() => undefined);
    if (progress !== undefined) {
      for (const each of progress.notLoaded.slice(named)) output.note(`✘ until ${each.intervalEnd}: ${each.outcome}${each.reason === undefined ? '' : `: ${each.reason}`}`);
      named = Math.max(named, progress.notLoaded.length);
      output.advance(`backfill ${pipeline}`, progress.total - progress.left - progress.running.length, progress.total, `intervals, ${progress.state}`);
    }
    if (end === undefined) continue;
    if ('report' in end) return end.report;
    if (progress !== undefined) output.note(backfillProgressText(progress));
    throw new Error(`The backfill of ${pipeline} did not end well: ${end.error instanceof WorkflowFailedError ? failureOf(end.error) : String(end.error)}\nWhat is left runs when it is started again; \`meridian cycles list --pipeline ${pipeline}\` says how each cycle ended`);
  }
}

function statusCommand(): Command {
  return subcommand('status', 'how far the backfill of a pipeline is, or how the last one ended').action(async (pipeline: string, options: JsonOption) => {
    await onBackfill(pipeline, async (client) => {
      const progress = await progressOf(client, pipeline);
      createOutput(options).result(progress, backfillProgressText(progress));
    });
  });
}

function pauseCommand(): Command {
  return signed(subcommand('pause', 'start no further cycle until `resume`; what runs goes on'), 'pauses it').action(
    async (pipeline: string, options: JsonOption & { readonly by: string; readonly reason: string }) => {
      const signature = checkSignature(options);
      await signal(pipeline, 'pause', [signature], options, `The backfill of ${pipeline} starts no further cycle until \`meridian backfill resume ${pipeline}\``);
    },
  );
}

function resumeCommand(): Command {
  return subcommand('resume', 'go on after a pause').action(async (pipeline: string, options: JsonOption) => {
    await signal(pipeline, 'resume', [], options, `The backfill of ${pipeline} goes on`);
  });
}

function cancelCommand(): Command {
  return subcommand('cancel', 'end the backfill and the cycle that it runs, and wait until that has cleaned up').action(async (pipeline: string, options: JsonOption) => {
    await onBackfill(pipeline, async (client) => {
      const handle = client.workflow.getHandle(backfillWorkflowId(pipeline));
      await handle.cancel();
      const ended = handle.result().then(() => 'completed', () => 'cancelled');
      const status = await Promise.race([ended, sleep(CANCEL_LIMIT_MS, undefined, { ref: false })]);
      if (status === undefined) throw new Error(`The backfill of ${pipeline} still runs ${CANCEL_LIMIT_MS / 60_000} minutes after its cancellation: see \`meridian backfill status ${pipeline}\``);
      createOutput(options).result({ workflowId: handle.workflowId, status }, `The backfill of ${pipeline} is ${status}`);
    });
  });
}

function subcommand(name: string, description: string): Command {
  return new Command(name).description(description).argument('<pipeline>').option('--json', 'one JSON document on stdout');
}

async function signal(pipeline: string, name: 'pause' | 'resume', args: readonly object[], options: JsonOption, text: string): Promise<void> {
  await onBackfill(pipeline, async (client) => {
    const handle = client.workflow.getHandle(backfillWorkflowId(pipeline));
    await handle.signal(name, ...args);
    createOutput(options).result({ workflowId: handle.workflowId, signal: name }, text);
  });
}

/** @throws Error when no backfill of the pipeline runs, or none is known any more */
async function onBackfill(pipeline: string, use: (client: Client) => Promise<void>): Promise<void> {
  declaredPipeline(pipeline);
  await loadStackEnvironment();
  try {
    await withTemporal(use);
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error;
    throw new Error(`No backfill of ${pipeline} runs: start one with \`meridian backfill ${pipeline} --from … --to …\``);
  }
}

function progressOf(client: Client, pipeline: string): Promise<BackfillProgress> {
  return client.workflow.getHandle(backfillWorkflowId(pipeline)).query<BackfillProgress, []>('backfillProgress');
}
