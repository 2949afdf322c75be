import { type Kysely, sql } from 'kysely';
import type { CycleRef } from '../../domain/cycle';
import type { Database } from '../schema';
import { generationKey } from './generation';
import type { VersionKey, VersionRow } from './versions';

export interface Promotion {
  readonly sequence: number;
  readonly promotedAt: string;
  readonly relations: Readonly<Record<string, number>>;
  /** Time inside the database, milliseconds. */
  readonly swapMs: number;
}

/** The promotion that a generation made, if it did. */
export async function findPromotion(db: Kysely<Database>, cycle: CycleRef): Promise<Promotion | undefined> {
  const row = await db
    .selectFrom('meridian.promotion')
    .select(['sequence', 'promoted_at', 'relations', 'swap_ms'])
    .where('pipeline', '=', cycle.pipeline)
    .where('interval_end', '=', new Date(cycle.intervalEnd))
    .where('generation', '=', cycle.generation)
    .where('kind', '=', 'cycle')
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return { sequence: row.sequence, promotedAt: row.promoted_at.toISOString(), relations: row.relations, swapMs: row.swap_ms ?? 0 };
}

export interface SwapInput {
  readonly cycle: CycleRef;
  readonly targets: readonly (VersionKey & { readonly view: string })[];
  readonly epoch: number;
  readonly promotedBy: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** The one call of `meridian.promote`, as text and values for a connection of its own. */
export function swapStatement({ cycle, targets, epoch, promotedBy, metadata }: SwapInput) {
  const key = generationKey(cycle);
  return {
    text: `select sequence, promoted_at as "promotedAt", swap_ms as "swapMs", already
             from meridian.promote($1, $2, $3::timestamptz, $4::integer, $5::bigint, $6::jsonb, $7, $8::jsonb)`,
    values: [
      cycle.dataset,
      key.pipeline,
      key.interval_end,
      key.generation,
      epoch,
      JSON.stringify(targets),
      promotedBy,
      JSON.stringify(metadata),
    ],
  };
}

export interface RollbackStatement {
  readonly pipeline: string;
  readonly requestId: string;
  /** The promotion that is served, as the plan saw it. */
  readonly latest: number;
  /** The promotion whose versions come back. */
  readonly restored: number;
  readonly targets: SwapInput['targets'];
  readonly by: string;
  readonly reason: string;
  /** Whether the pipeline's next promotions wait until somebody says to go on. */
  readonly hold: boolean;
}

/** The one call of `meridian.rollback`, as text and values for a connection of its own. */
export function rollbackStatement({ pipeline, requestId, latest, restored, targets, by, reason, hold }: RollbackStatement) {
  return {
    text: `select sequence, promoted_at as "promotedAt", swap_ms as "swapMs", already
             from meridian.rollback($1, $2, $3::bigint, $4::bigint, $5::jsonb, $6, $7, $8::boolean)`,
    values: [pipeline, requestId, latest, restored, JSON.stringify(targets), by, reason, hold],
  };
}

/** One row of the promotion ledger. */
export interface LedgerEntry {
  readonly sequence: number;
  readonly kind: 'cycle' | 'rollback';
  readonly relations: Readonly<Record<string, number>>;
  readonly promotedBy: string;
  readonly promotedAt: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** A pipeline's promotions and rollbacks, newest first. */
export async function listPromotions(db: Kysely<Database>, pipeline: string): Promise<readonly LedgerEntry[]> {
  const rows = await db
    .selectFrom('meridian.promotion')
    .select(['sequence', 'kind', 'relations', 'promoted_by', 'promoted_at', 'metadata'])
    .where('pipeline', '=', pipeline)
    .orderBy('sequence', 'desc')
    .execute();
  return rows.map((row) => ({
    sequence: row.sequence,
    kind: row.kind,
    relations: row.relations,
    promotedBy: row.promoted_by,
    promotedAt: row.promoted_at.toISOString(),
    metadata: row.metadata,
  }));
}

/** What keeps a pipeline's cycles from promoting over a rollback. */
export interface PromotionHold {
  readonly pipeline: string;
  readonly sequence: number;
  readonly placedBy: string;
  readonly reason: string;
  readonly placedAt: string;
}

export async function findHold(db: Kysely<Database>, pipeline: string): Promise<PromotionHold | undefined> {
  const row = await db.selectFrom('meridian.promotion_hold').selectAll().where('pipeline', '=', pipeline).where('released_at', 'is', null).executeTakeFirst();
  if (row === undefined) return undefined;
  return { pipeline, sequence: row.sequence, placedBy: row.placed_by, reason: row.reason, placedAt: row.placed_at.toISOString() };
}

/** Lets the pipeline's cycles promote again. @returns whether they were held until now */
export async function releaseHold(db: Kysely<Database>, pipeline: string, by: string): Promise<boolean> {
  const row = await db
    .updateTable('meridian.promotion_hold')
    .set({ released_at: sql<Date>`clock_timestamp()`, released_by: by })
    .where('pipeline', '=', pipeline)
    .where('released_at', 'is', null)
    .returning('sequence')
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * Versions of a pipeline's relation whose tables are due to go: promoted ones beyond the `keep` latest before the served
 * one, drops that were put off, and candidates of closed cycles that a later promotion has overtaken.
 */
export async function findVersionsToDrop(
  db: Kysely<Database>,
  pipeline: string,
  relation: string,
  keep: number,
): Promise<readonly VersionRow[]> {
  const { rows } = await sql<VersionRow>`
    with retired as (
      select version, row_number() over (order by promoted_at desc, version desc) as rank
        from meridian.version where relation = ${relation} and state = 'retired'
    ), latest as (
      select coalesce(max(sequence), 0) as sequence from meridian.promotion where pipeline = ${pipeline}
    )
    select v.relation, v.version, v.table_name as "table", v.state, v.columns, v.rows
      from meridian.version v
      join meridian.cycle c using (pipeline, interval_end, generation)
      left join retired r on r.version = v.version
     cross join latest
     where v.pipeline = ${pipeline} and v.relation = ${relation} and v.dropped_at is null
       and (v.state = 'dropped'
            or r.rank > ${keep}
            or (v.state in ('loading', 'loaded') and c.closed_at is not null and v.base_sequence < latest.sequence))
     order by v.version`.execute(db);
  return rows;
}
