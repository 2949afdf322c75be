import { Command } from 'commander';
import { WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client';
import { type Decision, type DecisionInput, decisionSentence, type Verdict } from '../domain/decision';
import { CYCLE_ARGUMENT, CYCLE_ARGUMENT_HELP, namedCycle } from './cycle-argument';
import { loadStackEnvironment } from './environment';
import { createOutput } from './output';
import { checkSignature, type SignatureOptions, signed } from './signature';
import { withTemporal } from './temporal-client';

const EFFECT: Readonly<Record<Verdict, string>> = {
  approve: 'promote a cycle that its quality gate held, though rules failed',
  reject: 'reject a cycle that its quality gate held: nothing of it is served, its objects are set aside',
};

/** `meridian approve` and `meridian reject`. */
export function decideCommand(decision: Verdict): Command {
  const command = new Command(decision).description(EFFECT[decision]).argument(CYCLE_ARGUMENT, CYCLE_ARGUMENT_HELP);
  return signed(command, `decides`)
    .option('--json', 'one JSON document on stdout')
    .addHelpText(
      'after',
      `\nThe same by Temporal's own CLI, or "Send an Update" in its Web UI:\n` +
        `  temporal workflow update execute --workflow-id etl/<pipeline>-<interval end> --name decide \\\n` +
        `    --input '{"decision":"${decision}","by":"ada","reason":"…"}'\n` +
        `Held cycles: temporal workflow list --query 'MeridianOutcome="held" and ExecutionStatus="Running"'`,
    )
    .action(async (words: readonly string[], options: SignatureOptions & { readonly json?: boolean }) => {
      const { pipeline, intervalEnd, workflowId } = namedCycle(words);
      const input = { decision, ...checkSignature(options) };
      await loadStackEnvironment();
      const decided = await withTemporal(async (client) => {
        try {
          return await client.workflow.getHandle(workflowId).executeUpdate<Decision, [DecisionInput]>('decide', { args: [input] });
        } catch (error) {
          if (error instanceof WorkflowUpdateFailedError) throw new Error(`Nothing was decided: ${error.cause?.message ?? error.message}`);
          if (error instanceof WorkflowNotFoundError) {
            throw new Error(`Nothing was decided: the cycle ${workflowId} does not run, and only a held one waits for a decision. See \`meridian cycles show ${pipeline} ${intervalEnd}\``);
          }
          throw error;
        }
      });
      createOutput(options).result({ workflowId, ...decided }, `${workflowId} ${decisionSentence(decided)}\nFollow it with \`meridian cycles show ${pipeline} ${intervalEnd}\``);
    });
}
