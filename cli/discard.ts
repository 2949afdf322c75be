import { Command } from 'commander';
import { WorkflowFailedError } from '@temporalio/client';
import { CYCLE_ARGUMENT, CYCLE_ARGUMENT_HELP, namedCycle } from './cycle-argument';
import { loadStackEnvironment } from './environment';
import { failureOf } from './follow-cycle';
import { createOutput } from './output';
import { checkSignature, type SignatureOptions, signed } from './signature';
import { withTemporal } from './temporal-client';

export function discardCommand(): Command {
  const command = new Command('discard')
    .description('never read what a rejected cycle set aside; the raw objects stay where they are')
    .argument(CYCLE_ARGUMENT, CYCLE_ARGUMENT_HELP);
  return signed(command, 'discards it')
    .option('--json', 'one JSON document on stdout')
    .addHelpText(
      'after',
      "\nThe same by Temporal's own CLI:\n  temporal workflow start --type discardCycle --task-queue meridian --workflow-id discard/<pipeline>-<interval end> \\\n" +
        `    --input '{"pipeline":"…","intervalEnd":"…","by":"ada","reason":"…"}'\n` +
        'To read the objects again instead: meridian rerun',
    )
    .action(async (words: readonly string[], options: SignatureOptions & { readonly json?: boolean }) => {
      const { pipeline, intervalEnd, workflowId } = namedCycle(words);
      const signature = checkSignature(options);
      await loadStackEnvironment();
      const { discarded } = await withTemporal(async (client) => {
        try {
          return (await client.workflow.execute('discardCycle', {
            workflowId: `discard/${pipeline}-${intervalEnd}`,
            taskQueue: process.env.MERIDIAN_TASK_QUEUE ?? 'meridian',
            args: [{ pipeline, intervalEnd, ...signature }],
            staticSummary: `discard what ${workflowId} set aside`,
          })) as { readonly discarded: number };
        } catch (error) {
          if (error instanceof WorkflowFailedError) throw new Error(failureOf(error));
          throw error;
        }
      });
      createOutput(options).result({ workflowId, discarded }, `${workflowId}: ${discarded} set-aside objects are discarded`);
    });
}
