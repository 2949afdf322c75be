import { Command } from 'commander';
import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from '@temporalio/client';
import { cycleWorkflowId } from '../domain/cycle';
import { cycleDetails } from '../domain/cycle-details';
import { askedInterval } from '../domain/ingest';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { pipelines } from '../pipelines';
import { reportText, retryLine, stageLine } from './cycle-text';
import { type DryRunOptions, runDry } from './dry-run';
import { loadStackEnvironment } from './environment';
import { type CycleWatcher, followCycle } from './follow-cycle';
import { createOutput, type Output, UsageError } from './output';
import { withTemporal } from './temporal-client';

interface RunOptions extends DryRunOptions {
  readonly intervalEnd?: string;
  readonly dryRun?: boolean;
  readonly full?: boolean;
  readonly json?: boolean;
}

const HELP = `
Exit codes: 0 promoted or empty, or would be; 1 rejected, blocked, failed or cancelled, or would be; 2 wrong usage.

The same by Temporal's own CLI:
  temporal workflow start --task-queue meridian --type etlCycle --workflow-id 'etl/<pipeline>-<interval end>' --input '{"pipeline":"<pipeline>","intervalEnd":"<interval end>"}'
  temporal workflow start --task-queue meridian --type dryRun --workflow-id 'dry-run/<pipeline>-<interval end>' --input '{"pipeline":"<pipeline>","intervalEnd":"<interval end>","keepHours":1}'
  temporal workflow query --workflow-id 'dry-run/<pipeline>-<interval end>' --type report
  temporal workflow signal --workflow-id 'dry-run/<pipeline>-<interval end>' --name drop`;

export function runCommand(): Command {
  return new Command('run')
    .description('run one cycle of a pipeline, and follow it to its end')
    .argument('<pipeline>', 'a declared pipeline, see `meridian pipelines list`')
    .option('--interval-end <instant>', 'end of the data interval, RFC 3339 (default: the last one that has closed)')
    .option('--full', 'of a pipeline that is refreshed by day: make every served day anew, not only those that changed')
    .option('--dry-run', 'against a shadow view: nothing is stored or served; prints what would change, by key, with samples')
    .option('--keep-hours <n>', 'with --dry-run: the shadow is dropped so long after the comparison (default: 1, time for a look; 0: at once)')
    .option('--drop', 'with --dry-run: start nothing, drop the shadow that is kept')
    .option('--no-wait', 'start the cycle and return its workflow id')
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', HELP)
    .action(async (pipeline: string, options: RunOptions) => {
      await loadStackEnvironment();
      const output = createOutput(options);
      const { spec, workflowId, intervalEnd } = requestedCycle(pipeline, options.intervalEnd);
      if (options.dryRun !== true && (options.drop === true || options.keepHours !== undefined)) {
        throw new UsageError(`${options.drop === true ? '--drop' : '--keep-hours'} is of a dry run: add --dry-run`);
      }
      if (options.full === true && options.dryRun === true) throw new UsageError('--full is of a cycle: a dry run always makes every day anew');
      await withTemporal(async (client) => {
        if (options.dryRun === true) {
          if (!(await runDry(client, { pipeline, intervalEnd }, options, output, watcherOn(output)))) process.exitCode = 1;
          return;
        }
        try {
          await client.workflow.start('etlCycle', {
            workflowId,
            taskQueue: process.env.MERIDIAN_TASK_QUEUE ?? 'meridian',
            args: [{ pipeline, intervalEnd, ...(options.full === true ? { full: true } : {}) }],
            workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
            workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
            staticSummary: `${pipeline} until ${intervalEnd}`,
            staticDetails: cycleDetails(spec, intervalEnd),
          });
        } catch (error) {
          if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
          throw new Error(`The cycle ${workflowId} is already running: follow it with \`meridian cycles show ${pipeline} ${intervalEnd}\``);
        }
        if (!options.wait) return output.result({ workflowId, pipeline, intervalEnd }, `Started ${workflowId}`);
        await followToResult(client, workflowId, output);
      });
    });
}

/** Shows a cycle's stages until it ends, then its report; exit code 1 unless it was promoted or empty. */
export async function followToResult(client: Client, workflowId: string, output: Output): Promise<void> {
  const report = await followCycle(client, workflowId, watcherOn(output));
  output.result(report, reportText(report));
  if (report.outcome !== 'promoted' && report.outcome !== 'empty') process.exitCode = 1;
}

function watcherOn(output: Output): CycleWatcher {
  return {
    stage: (row) => output.note(stageLine(row)),
    advance: (stage, done, total, unit) => output.advance(stage, done, total, unit),
    retry: (stage, activity, attempt, message) => output.note(retryLine(stage, activity, attempt, message)),
  };
}

/** @throws UsageError for a pipeline that nobody declared or an interval that is none of its own, or that has not closed */
function requestedCycle(pipeline: string, intervalEnd: string | undefined): { spec: PipelineSpec; workflowId: string; intervalEnd: string } {
  const spec = pipelines.find((each) => each.name === pipeline);
  if (spec === undefined) {
    throw new UsageError(`No pipeline is named "${pipeline}": declared are ${pipelines.map((each) => each.name).join(', ')}`);
  }
  try {
    const interval = askedInterval(spec, intervalEnd === undefined ? {} : { intervalEnd }, new Date());
    return { spec, workflowId: cycleWorkflowId(spec.name, interval.end), intervalEnd: interval.end };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
