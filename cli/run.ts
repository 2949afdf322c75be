import { Command } from 'commander';
import { WorkflowExecutionAlreadyStartedError, WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from '@temporalio/client';
import { cycleWorkflowId } from '../domain/cycle';
import { askedInterval } from '../domain/ingest';
import { pipelines } from '../pipelines';
import { reportText, retryLine, stageLine } from './cycle-text';
import { loadStackEnvironment } from './environment';
import { followCycle } from './follow-cycle';
import { createOutput, UsageError } from './output';
import { withTemporal } from './temporal-client';

interface RunOptions {
  readonly intervalEnd?: string;
  readonly wait: boolean;
  readonly json?: boolean;
}

export function runCommand(): Command {
  return new Command('run')
    .description('run one cycle of a pipeline, and follow it to its end')
    .argument('<pipeline>', 'a declared pipeline, see `meridian pipelines list`')
    .option('--interval-end <instant>', 'end of the data interval, RFC 3339 (default: the last one that has closed)')
    .option('--no-wait', 'start the cycle and return its workflow id')
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nExit codes: 0 promoted or empty, 1 rejected, blocked, failed or cancelled, 2 wrong usage.')
    .action(async (pipeline: string, options: RunOptions) => {
      await loadStackEnvironment();
      const output = createOutput(options);
      const { workflowId, intervalEnd } = requestedCycle(pipeline, options.intervalEnd);
      await withTemporal(async (client) => {
        try {
          await client.workflow.start('etlCycle', {
            workflowId,
            taskQueue: process.env.MERIDIAN_TASK_QUEUE ?? 'meridian',
            args: [{ pipeline, intervalEnd }],
            workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
            workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
            staticSummary: `${pipeline} until ${intervalEnd}`,
          });
        } catch (error) {
          if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
          throw new Error(`The cycle ${workflowId} is already running: follow it with \`meridian cycles show ${pipeline} ${intervalEnd}\``);
        }
        if (!options.wait) return output.result({ workflowId, pipeline, intervalEnd }, `Started ${workflowId}`);
        const report = await followCycle(client, workflowId, {
          stage: (row) => output.note(stageLine(row)),
          advance: (stage, done, total, unit) => output.advance(stage, done, total, unit),
          retry: (stage, activity, attempt, message) => output.note(retryLine(stage, activity, attempt, message)),
        });
        output.result(report, reportText(report));
        if (report.outcome !== 'promoted' && report.outcome !== 'empty') process.exitCode = 1;
      });
    });
}

/** @throws UsageError for a pipeline that nobody declared or an interval that is none of its own, or that has not closed */
export function requestedCycle(pipeline: string, intervalEnd: string | undefined): { workflowId: string; intervalEnd: string } {
  const spec = pipelines.find((each) => each.name === pipeline);
  if (spec === undefined) {
    throw new UsageError(`No pipeline is named "${pipeline}": declared are ${pipelines.map((each) => each.name).join(', ')}`);
  }
  try {
    const interval = askedInterval(spec, intervalEnd === undefined ? {} : { intervalEnd }, new Date());
    return { workflowId: cycleWorkflowId(spec.name, interval.end), intervalEnd: interval.end };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
