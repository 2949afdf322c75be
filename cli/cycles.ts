import { Command } from 'commander';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { CycleProgress } from '../domain/progress';
import { openDatabase } from '../sql/database';
import { type CycleRecord, listCycles } from '../sql/queries/cycles';
import { nextLines, stageLine } from './cycle-text';
import { loadStackEnvironment } from './environment';
import { createOutput } from './output';
import { CYCLE_ARGUMENT, CYCLE_ARGUMENT_HELP, namedCycle } from './cycle-argument';
import { cycleTable } from './cycle-table';
import { took, utcAndLocal } from './times';
import { withTemporal } from './temporal-client';

interface JsonOption {
  readonly json?: boolean;
}

const CONFIRM_POLL_MS = 500;
const CONFIRM_LIMIT_MS = 15 * 60_000; // a job may take its time to end; its confirmation is part of the cancellation

export function cyclesCommand(): Command {
  const command = new Command('cycles').description('what ran, what runs, and how to stop it');
  command
    .command('list')
    .description('recorded cycles with all their generations, newest interval first')
    .option('--pipeline <name>', 'of one pipeline')
    .option('--limit <n>', 'at most so many', '50')
    .option('--json', 'one JSON document on stdout')
    .action(async (options: JsonOption & { pipeline?: string; limit: string }) => {
      const records = await recordsOf({ limit: Number(options.limit), ...(options.pipeline === undefined ? {} : { pipeline: options.pipeline }) });
      createOutput(options).result(records, records.length === 0 ? 'No cycle has run yet: `meridian run <pipeline>`' : cycleTable(records, process.stdout.columns ?? Infinity));
    });
  command
    .command('show')
    .description('one cycle: its generations, and the stage table of the latest execution')
    .argument(CYCLE_ARGUMENT, CYCLE_ARGUMENT_HELP)
    .option('--json', 'one JSON document on stdout')
    .action(async (words: readonly string[], options: JsonOption) => {
      const { pipeline, workflowId, intervalEnd } = namedCycle(words);
      const generations = await recordsOf({ pipeline, intervalEnd });
      const progress = await withTemporal(async (client) => {
        try {
          return await client.workflow.getHandle(workflowId).query<CycleProgress>('progress');
        } catch (error) {
          if (error instanceof WorkflowNotFoundError) return undefined; // past the namespace's retention, or never started
          throw error;
        }
      });
      if (generations.length === 0 && progress === undefined) {
        throw new Error(`The cycle ${workflowId} has never run: start it with \`meridian run ${pipeline} --interval-end ${intervalEnd}\``);
      }
      const text = [...generations.map(recordLine), ...(progress?.stages.map(stageLine) ?? []), ...nextLines(progress?.next ?? [])];
      createOutput(options).result({ workflowId, generations, stages: progress?.stages ?? [], next: progress?.next ?? [] }, text.join('\n'));
    });
  command
    .command('cancel')
    .description('cancel a running cycle, and wait until its jobs are confirmed ended and its data voided')
    .argument(CYCLE_ARGUMENT, CYCLE_ARGUMENT_HELP)
    .option('--json', 'one JSON document on stdout')
    .action(async (words: readonly string[], options: JsonOption) => {
      const { workflowId } = namedCycle(words);
      await loadStackEnvironment();
      const output = createOutput(options);
      const status = await withTemporal(async (client) => {
        const handle = client.workflow.getHandle(workflowId);
        await handle.cancel();
        output.note(`Cancellation of ${workflowId} requested; waiting for its jobs to end`);
        const deadline = Date.now() + CONFIRM_LIMIT_MS;
        for (;;) {
          const { status } = await handle.describe();
          if (status.name !== 'RUNNING') return status.name;
          if (Date.now() > deadline) throw new Error(`The cycle ${workflowId} still runs ${CONFIRM_LIMIT_MS / 60_000} minutes after its cancellation`);
          await new Promise((resolve) => setTimeout(resolve, CONFIRM_POLL_MS));
        }
      });
      output.result({ workflowId, status }, `${workflowId}: ${status.toLowerCase()}`);
    });
  return command;
}

async function recordsOf(filter: Parameters<typeof listCycles>[1]): Promise<readonly CycleRecord[]> {
  await loadStackEnvironment();
  const database = openDatabase();
  try {
    return await listCycles(database.db, filter);
  } finally {
    await database.close();
  }
}

function recordLine(record: CycleRecord): string {
  const { cycle } = record;
  const when = `started ${utcAndLocal(record.openedAt)}${record.closedAt === null ? '' : `, took ${took(record.openedAt, record.closedAt)}`}`;
  return `${cycle.pipeline} [${cycle.intervalStart}, ${cycle.intervalEnd}) generation ${cycle.generation}: ${record.outcome ?? 'open'}${
    record.detail ? `: ${record.detail}` : ''
  }; ${when}`;
}
