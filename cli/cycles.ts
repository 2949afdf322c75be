import { Command } from 'commander';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { CycleProgress } from '../domain/progress';
import { pipelines } from '../pipelines';
import { type OpenDatabase, openDatabase } from '../sql/database';
import { type CycleRecord, listCycles } from '../sql/queries/cycles';
import { readLineage } from '../sql/queries/lineage';
import { cancelCycle } from './cancel-cycle';
import { CYCLE_ARGUMENT, CYCLE_ARGUMENT_HELP, namedCycle } from './cycle-argument';
import { cycleTable, outcomeWord } from './cycle-table';
import { nextLines, stageLine } from './cycle-text';
import { loadStackEnvironment } from './environment';
import { lineageText } from './lineage-text';
import { createOutput, UsageError } from './output';
import { withTemporal } from './temporal-client';
import { took, utcAndLocal } from './times';

interface JsonOption {
  readonly json?: boolean;
}

export function cyclesCommand(): Command {
  const command = new Command('cycles').description('what ran, what runs, and how to stop it');
  command
    .command('list')
    .description('recorded cycles with all their generations, newest interval first')
    .option('--pipeline <name>', 'of one pipeline')
    .option('--limit <n>', 'at most so many', '50')
    .option('--json', 'one JSON document on stdout')
    .action(async (options: JsonOption & { pipeline?: string; limit: string }) => {
      const { pipeline, limit } = options;
      if (!/^[1-9]\d{0,5}$/.test(limit)) throw new UsageError(`--limit: expected a whole number from 1 to 999999, found "${limit}"`);
      const records = await withRecords(({ db }) => listCycles(db, { limit: Number(limit), ...(pipeline === undefined ? {} : { pipeline }) }));
      createOutput(options).result(records, records.length === 0 ? nothingListed(pipeline) : cycleTable(records, process.stdout.columns ?? Infinity));
    });
  command
    .command('show')
    .description('one cycle: its generations, the lineage of the latest, its stage table, and what may be done next')
    .argument(CYCLE_ARGUMENT, CYCLE_ARGUMENT_HELP)
    .option('--json', 'one JSON document on stdout')
    .action(async (words: readonly string[], options: JsonOption) => {
      const { pipeline, workflowId, intervalEnd } = namedCycle(words);
      const { generations, lineage } = await withRecords(async ({ db }) => {
        const generations = await listCycles(db, { pipeline, intervalEnd });
        const [latest] = generations;
        return { generations, lineage: latest === undefined ? undefined : await readLineage(db, latest) };
      });
      const progress = await progressOf(workflowId);
      if (lineage === undefined && progress === undefined) {
        throw new Error(`The cycle ${workflowId} has never run: start it with \`meridian run ${pipeline} --interval-end ${intervalEnd}\``);
      }
      const { stages = [], next = [] } = progress ?? {};
      const text = [
        ...generations.slice(1).map(earlierLine),
        ...(lineage === undefined ? [] : [lineageText(lineage)]),
        ...stages.map(stageLine),
        ...nextLines(next.filter(({ command }) => !command.startsWith('npx meridian cycles show'))), // here it is
        ...(process.env.MERIDIAN_TEMPORAL_UI === undefined ? [] : [`Web UI: ${webUiAddress(process.env.MERIDIAN_TEMPORAL_UI, workflowId)}`]),
      ];
      createOutput(options).result({ workflowId, generations, stages, next }, text.join('\n'));
    });
  command
    .command('cancel')
    .description('cancel a running cycle, and wait until its jobs are confirmed ended and its data voided')
    .argument(CYCLE_ARGUMENT, CYCLE_ARGUMENT_HELP)
    .option('--json', 'one JSON document on stdout')
    .action(async (words: readonly string[], options: JsonOption) => {
      const cycle = namedCycle(words);
      await loadStackEnvironment();
      const output = createOutput(options);
      const status = await withTemporal((client) => cancelCycle(client, cycle, output));
      output.result({ workflowId: cycle.workflowId, status }, `${cycle.workflowId}: ${status.toLowerCase()}`);
    });
  return command;
}

/** @throws UsageError where no cycle can be of that pipeline: a misspelt name must not look like an idle pipeline */
function nothingListed(pipeline: string | undefined): string {
  if (pipeline === undefined) return 'No cycle has run yet: `meridian run <pipeline>`';
  if (pipelines.some(({ name }) => name === pipeline)) return `No cycle of ${pipeline} has run yet: \`meridian run ${pipeline}\``;
  throw new UsageError(`No pipeline is named "${pipeline}", and no cycle of it is on record: declared are ${pipelines.map(({ name }) => name).join(', ')}`);
}

async function withRecords<T>(read: (database: OpenDatabase) => Promise<T>): Promise<T> {
  await loadStackEnvironment();
  const database = openDatabase();
  try {
    return await read(database);
  } finally {
    await database.close();
  }
}

/** Undefined past the namespace's retention, or before the first start. */
function progressOf(workflowId: string): Promise<CycleProgress | undefined> {
  return withTemporal(async (client) => {
    try {
      return await client.workflow.getHandle(workflowId).query<CycleProgress>('progress');
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return undefined;
      throw error;
    }
  });
}

function earlierLine(record: CycleRecord): string {
  const { cycle, openedAt, closedAt } = record;
  const [reason = ''] = (record.detail ?? '').split('\n');
  return `generation ${cycle.generation}: ${outcomeWord(record)}, ${utcAndLocal(openedAt)}${closedAt === null ? '' : `, took ${took(openedAt, closedAt)}`}${reason === '' ? '' : `: ${reason}`}`;
}

function webUiAddress(ui: string, workflowId: string): string {
  return `${ui}/namespaces/${encodeURIComponent(process.env.TEMPORAL_NAMESPACE ?? 'default')}/workflows/${encodeURIComponent(workflowId)}`;
}
