import type { Kysely } from 'kysely';
import { viewDiff } from '../../domain/column-diff';
import type { CycleRef } from '../../domain/cycle';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { RollbackPlan, RollbackTarget } from '../../domain/rollback';
import type { Database } from '../schema';
import { readLiveRelation } from './candidate-tables';
import { type LedgerEntry, listPromotions } from './promotions';
import { type ListedVersion, listVersions } from './versions';

/** What a rollback would bring back, or why it cannot: what was asked, what was found, and what can be served instead. */
export type PlannedRollback = { readonly plan: RollbackPlan } | { readonly refused: string };

/**
 * Plans by the ledger and the versions as they stand. Reads only; the swap compares with what was seen here.
 * @param to - a version of `relation`; undefined: what was served before
 */
export async function planRollback(db: Kysely<Database>, spec: PipelineSpec, relation: string, to: number | undefined): Promise<PlannedRollback> {
  const versions = new Map<string, readonly ListedVersion[]>();
  for (const { name } of spec.relations) versions.set(name, await listVersions(db, name));
  const ledger = await listPromotions(db, spec.name);
  const [latest] = ledger;
  if (latest === undefined) return { refused: `nothing of "${spec.name}" was ever promoted` };
  const find = (name: string, version: number | undefined) => versions.get(name)?.find((each) => each.version === version);
  const kept = (entry: LedgerEntry) => spec.relations.every(({ name }) => find(name, entry.relations[name])?.state === 'retired');
  const made = ledger.filter((entry) => entry.kind === 'cycle');
  const versionOf = (entry: LedgerEntry) => entry.relations[relation] ?? 0;
  // Older than what is served: rolling back twice goes back two versions, never forth again.
  const restored = to === undefined ? made.find((entry) => versionOf(entry) < versionOf(latest) && kept(entry)) : made.find((entry) => versionOf(entry) === to);
  if (restored === undefined || !kept(restored)) {
    const serveable = made.filter(kept).map(versionOf);
    const choice = serveable.length === 0 ? 'no other version is kept' : `kept are ${serveable.join(', ')}`;
    if (to === undefined) return { refused: `no version of "${relation}" before ${versionOf(latest)} is kept; ${choice}` };
    const found = find(relation, to);
    if (found?.current === true) return { refused: `version ${to} of "${relation}" is what is served; ${choice}` };
    return { refused: `version ${to} of "${relation}" ${found === undefined ? 'was never made' : `is ${found.state}`}, expected one that was served and is kept; ${choice}` };
  }
  const targets: RollbackTarget[] = [];
  const loaded: string[] = [];
  let cycle: CycleRef | undefined;
  for (const { name, view } of spec.relations) {
    const target = find(name, restored.relations[name]);
    const live = await readLiveRelation(db, view);
    if (target === undefined || live?.kind !== 'v') return { refused: `"${view}" is no view, so nothing can be brought back to it` };
    const diff = viewDiff(target.columns, live.columns);
    if (diff.length > 0) return { refused: `the view "${view}" cannot take the columns of ${target.table}:\n${diff.join('\n')}` };
    targets.push({ relation: name, view, from: latest.relations[name] ?? 0, version: target.version, table: target.table, rows: target.rows ?? 0 });
    loaded.push(target.loadedAt ?? target.createdAt);
    cycle = target.cycle;
  }
  if (cycle === undefined) return { refused: 'it declares no relation' };
  const loadedAt = loaded.reduce((a, b) => (a > b ? a : b));
  return { plan: { pipeline: spec.name, latest: latest.sequence, restored: restored.sequence, cycle, targets, loadedAt } };
}
