import { Command } from 'commander';
import type { RuleOutcome } from '../domain/progress';
import { openDatabase } from '../sql/database';
import { findHold, type LedgerEntry, listPromotions, type PromotionHold } from '../sql/queries/promotions';
import { type ListedVersion, listVersions } from '../sql/queries/versions';
import { loadStackEnvironment } from './environment';
import { createOutput } from './output';
import { namedRelation } from './relation-argument';

export function versionsCommand(): Command {
  return new Command('versions')
    .description('the versions of a served relation: of which cycle, how many rows, what its rules said, who promoted it, and which one is served')
    .argument('<relation>', 'a relation or its view, such as positions or vw_positions')
    .option('--json', 'one JSON document on stdout')
    .addHelpText('after', '\n▶ is what the view serves; ↩ can be brought back with `meridian rollback`.')
    .action(async (name: string, options: { readonly json?: boolean }) => {
      const { spec, relation } = namedRelation(name);
      await loadStackEnvironment();
      const database = openDatabase();
      try {
        const [versions, promotions, hold] = [
          await listVersions(database.db, relation.name),
          await listPromotions(database.db, spec.name),
          await findHold(database.db, spec.name),
        ];
        const document = versions.map((version) => ({ ...version, kept: version.state === 'retired', promotion: promotions.find((each) => each.relations[relation.name] === version.version) }));
        const lines = document.map(versionLine);
        if (hold !== undefined) lines.push(holdLine(relation.view, hold));
        createOutput(options).result({ relation: relation.name, view: relation.view, hold: hold ?? null, versions: document }, lines.length === 0 ? `No version of ${relation.name} was ever loaded` : lines.join('\n'));
      } finally {
        await database.close();
      }
    });
}

function versionLine(version: ListedVersion & { readonly kept: boolean; readonly promotion: LedgerEntry | undefined }): string {
  const { cycle, promotion } = version;
  const parts = [
    `${version.current ? '▶' : version.kept ? '↩' : ' '} ${version.table.padEnd(20)} ${version.state.padEnd(8)} ${String(version.rows ?? '').padStart(10)} rows`,
    `${cycle.pipeline} until ${cycle.intervalEnd} g${cycle.generation}`,
    ...refreshOf(version),
    ...qualityOf(version),
    ...(promotion === undefined ? [] : [promotionText(promotion)]),
  ];
  return parts.join('  ');
}

function refreshOf({ relation, refresh }: ListedVersion): readonly string[] {
  if (refresh === null) return [];
  return [`${refresh.rebuilt}/${refresh.days} days rebuilt${refresh.base === undefined ? '' : `, others of ${relation}_v${refresh.base}`}`];
}

function qualityOf({ counts }: ListedVersion): readonly string[] {
  const rules = counts['rules'] as readonly RuleOutcome[] | undefined;
  if (rules === undefined || rules.length === 0) return [];
  const passed = rules.filter((rule) => rule.result === 'PASS').length;
  return [`rules ${passed}/${rules.length}`];
}

function promotionText({ kind, promotedAt, promotedBy, metadata }: LedgerEntry): string {
  const approved = metadata['approvedBy'];
  const who = kind === 'rollback' ? `rolled back by ${promotedBy}` : `promoted by ${promotedBy}`;
  return `${who} ${promotedAt}${typeof approved === 'string' ? ` (approved by ${approved})` : ''}`;
}

function holdLine(view: string, hold: PromotionHold): string {
  return (
    `Held since ${hold.placedAt} by ${hold.placedBy}: ${hold.reason}\n` +
    `  No cycle promotes until \`meridian rollback ${view} --continue\`; what they store meanwhile is served then.`
  );
}
