import { Command, Option } from 'commander';
import { type Client, WorkflowExecutionAlreadyStartedError, WorkflowIdConflictPolicy, WorkflowIdReusePolicy } from '@temporalio/client';
import { RERUN_STAGES, type RerunStage, usualRerunStage } from '../domain/rerun';
import { openDatabase } from '../sql/database';
import { listCycles } from '../sql/queries/cycles';
import { CYCLE_ARGUMENT, CYCLE_ARGUMENT_HELP, type NamedCycle, namedCycle } from './cycle-argument';
import { loadStackEnvironment } from './environment';
import { createOutput } from './output';
import { followToResult } from './run';
import { checkSignature, type SignatureOptions, signed } from './signature';
import { withTemporal } from './temporal-client';

interface RerunOptions extends SignatureOptions {
  readonly from?: RerunStage;
  readonly wait: boolean;
  readonly json?: boolean;
}

export function rerunCommand(): Command {
  const command = new Command('rerun').description('run a closed cycle again from a stage, in a new generation; what comes before it is reused').argument(CYCLE_ARGUMENT, CYCLE_ARGUMENT_HELP);
  return signed(command, 'asks for it')
    .addOption(
      new Option('--from <stage>', 'where to begin (default: transform where its records are stored, else discover)').choices([...RERUN_STAGES]),
    )
    .option('--no-wait', 'start it and return its workflow id')
    .option('--json', 'one JSON document on stdout')
    .addHelpText(
      'after',
      '\n  discover   of a rejected, failed or cancelled cycle: its objects are read again, set-aside ones too\n' +
        '  transform  of a promoted or blocked cycle: the job runs again over all that is stored now\n' +
        '  check      the rules look again at what the job had made, if nothing was stored since\n' +
        '  load       what had passed the gate is loaded and promoted, if nothing was stored since\n' +
        "The same by Temporal's own CLI:\n" +
        '  temporal workflow start --type etlCycle --task-queue meridian --workflow-id etl/<pipeline>-<interval end> \\\n' +
        `    --input '{"pipeline":"…","intervalEnd":"…","rerun":{"from":"transform","by":"ada","reason":"…"}}'`,
    )
    .action(async (words: readonly string[], options: RerunOptions) => {
      const cycle = namedCycle(words);
      const signature = checkSignature(options);
      await loadStackEnvironment();
      const from = options.from ?? (await usualStage(cycle));
      const output = createOutput(options);
      await withTemporal(async (client) => {
        await startRerun(client, cycle, { from, ...signature });
        if (!options.wait) return output.result({ ...cycle, from }, `Started ${cycle.workflowId} again from ${from}`);
        await followToResult(client, cycle.workflowId, output);
      });
    });
}

async function usualStage({ pipeline, intervalEnd, workflowId }: NamedCycle): Promise<RerunStage> {
  const database = openDatabase();
  try {
    const [latest] = await listCycles(database.db, { pipeline, intervalEnd, limit: 1 });
    if (latest === undefined) throw new Error(`The cycle ${workflowId} has never run: start it with \`meridian run ${pipeline} --interval-end ${intervalEnd}\``);
    return usualRerunStage(latest.outcome);
  } finally {
    await database.close();
  }
}

async function startRerun(client: Client, { pipeline, intervalEnd, workflowId }: NamedCycle, rerun: SignatureOptions & { readonly from: RerunStage }): Promise<void> {
  try {
    await client.workflow.start('etlCycle', {
      workflowId,
      taskQueue: process.env.MERIDIAN_TASK_QUEUE ?? 'meridian',
      args: [{ pipeline, intervalEnd, rerun }],
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
      staticSummary: `${pipeline} until ${intervalEnd}, again from ${rerun.from}`,
      staticDetails: `Asked for by ${rerun.by}: ${rerun.reason}`,
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    throw new Error(`The cycle ${workflowId} is running: wait for its end, or end it with \`meridian cycles cancel ${pipeline} ${intervalEnd}\``);
  }
}
