import { Command } from 'commander';
import { type Client, WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import type { InboxView } from '../domain/inbox';
import { inboxWorkflowId, runsOnObject } from '../domain/ingest';
import { loadStackEnvironment } from './environment';
import { createOutput, UsageError } from './output';
import { declaredPipeline } from './pipelines';
import { withTemporal } from './temporal-client';

interface JsonOption {
  readonly json?: boolean;
}

const UPDATES = {
  flush: 'start a cycle now for what has arrived, or as soon as none runs',
  pause: 'count what arrives, and start no cycle until `resume`; one that runs goes on',
  resume: 'start cycles again',
} as const;

export function inboxCommand(): Command {
  const command = new Command('inbox')
    .description('what has arrived for a pipeline that runs on objects, and the cycles that it started')
    .addHelpText(
      'after',
      "\nThe same by Temporal's own CLI:\n  temporal workflow query --workflow-id inbox/<pipeline> --type inbox\n" +
        '  temporal workflow update execute --workflow-id inbox/<pipeline> --name flush    (or pause, resume)',
    );
  subcommand(command, 'show', 'what waits, what runs, and the last cycles').action(async (pipeline: string, options: JsonOption) => {
    await onInbox(pipeline, options, (client, workflowId) => client.workflow.getHandle(workflowId).query<InboxView, []>('inbox'));
  });
  for (const [name, description] of Object.entries(UPDATES)) {
    subcommand(command, name, description).action(async (pipeline: string, options: JsonOption) => {
      await onInbox(pipeline, options, (client, workflowId) => client.workflow.getHandle(workflowId).executeUpdate<InboxView, []>(name));
    });
  }
  return command;
}

function subcommand(command: Command, name: string, description: string): Command {
  return command.command(name).description(description).argument('<pipeline>').option('--json', 'one JSON document on stdout');
}

async function onInbox(pipeline: string, options: JsonOption, ask: (client: Client, workflowId: string) => Promise<InboxView>): Promise<void> {
  if (!runsOnObject(declaredPipeline(pipeline))) {
    throw new UsageError(`Arriving objects start no cycles of ${pipeline}: its declaration has no \`ingest\`, or that says nightly (docs/new-pipeline.md)`);
  }
  await loadStackEnvironment();
  const view = await withTemporal(async (client) => {
    try {
      return await ask(client, inboxWorkflowId(pipeline));
    } catch (error) {
      if (error instanceof WorkflowUpdateFailedError) throw new Error(error.cause?.message ?? error.message);
      if (error instanceof WorkflowNotFoundError) throw new Error(`There is no inbox of ${pipeline} yet: a worker makes it when it starts, see \`meridian worker\``);
      throw error;
    }
  });
  createOutput(options).result(view, inboxText(view));
}

/** An inbox in a few lines. */
function inboxText({ pipeline, paused, pending, running, lastCycles, nextSweepAt, fault }: InboxView): string {
  return [
    `${pipeline}: ${pending.objectCount} objects, ${(pending.sizeBytes / 1024 ** 2).toFixed(1)} MiB wait${pending.oldestAt === undefined ? '' : `, the oldest since ${pending.oldestAt}`}${paused ? '; paused' : ''}`,
    ...(running === undefined ? [] : [`  ▶ ${running.workflowId}, by ${running.reason}, ${running.objectCount} objects`]),
    ...(fault === undefined ? [] : [`  ✘ ${fault}`]),
    ...lastCycles.map((cycle) => `  ${cycle.outcome.padEnd(9)} ${cycle.workflowId}, by ${cycle.reason}, ${cycle.objectCount} objects`),
    `  next listing ${nextSweepAt}`,
  ].join('\n');
}
