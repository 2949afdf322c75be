import { Command } from 'commander';
import { openDatabase } from '../sql/database';
import { listCycles } from '../sql/queries/cycles';
import { readLineage } from '../sql/queries/lineage';
import { CYCLE_ARGUMENT, CYCLE_ARGUMENT_HELP, namedCycle } from './cycle-argument';
import { loadStackEnvironment } from './environment';
import { lineageText } from './lineage-text';
import { createOutput } from './output';

export function reportCommand(): Command {
  return new Command('report')
    .description("a cycle's lineage, each generation: records by stage, quarantine by reason, jobs, rules, who decided, promotion, who was told")
    .argument(CYCLE_ARGUMENT, CYCLE_ARGUMENT_HELP)
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\nA served row names its cycle in `cycle_id`: `meridian report <cycle_id>`.')
    .action(async (words: readonly string[], options: { readonly json?: boolean }) => {
      const { pipeline, intervalEnd, workflowId } = namedCycle(words);
      await loadStackEnvironment();
      const database = openDatabase();
      try {
        const generations = [];
        for (const record of await listCycles(database.db, { pipeline, intervalEnd })) generations.push(await readLineage(database.db, record));
        if (generations.length === 0) {
          throw new Error(`The cycle ${workflowId} has never run: start it with \`meridian run ${pipeline} --interval-end ${intervalEnd}\``);
        }
        createOutput(options).result({ workflowId, generations }, generations.map((each) => lineageText(each)).join('\n'));
      } finally {
        await database.close();
      }
    });
}
