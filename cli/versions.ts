import { Command } from 'commander';
import { pipelines } from '../pipelines';
import { openDatabase } from '../sql/database';
import { listVersions } from '../sql/queries/versions';
import { loadStackEnvironment } from './environment';
import { createOutput, UsageError } from './output';

export function versionsCommand(): Command {
  return new Command('versions')
    .description('the versions of a served relation: which table, of which cycle, how many rows, and which one is served')
    .argument('<relation>', 'a relation or its view, such as positions or vw_positions')
    .option('--json', 'one JSON document on stdout')
    .action(async (name: string, options: { readonly json?: boolean }) => {
      const relation = relationOf(name);
      await loadStackEnvironment();
      const database = openDatabase();
      try {
        const versions = await listVersions(database.db, relation);
        const lines = versions.map(
          (each) =>
            `${each.current ? '▶' : ' '} ${each.table.padEnd(24)} ${each.state.padEnd(9)} ${String(each.rows ?? '').padStart(10)} rows  ` +
            `${each.cycle.pipeline} until ${each.cycle.intervalEnd} generation ${each.cycle.generation}${each.promotedAt === null ? '' : `  promoted ${each.promotedAt}`}`,
        );
        createOutput(options).result(versions, lines.length === 0 ? `No version of ${relation} was ever loaded` : lines.join('\n'));
      } finally {
        await database.close();
      }
    });
}

function relationOf(name: string): string {
  const relations = pipelines.flatMap((spec) => spec.relations);
  const relation = relations.find((each) => each.name === name || each.view === name);
  if (relation === undefined) {
    throw new UsageError(`No pipeline serves "${name}": declared are ${relations.map((each) => each.view).join(', ')}`);
  }
  return relation.name;
}
