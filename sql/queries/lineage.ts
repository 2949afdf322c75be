import type { Kysely } from 'kysely';
import { generationPrefix } from '../../domain/cycle';
import type { JobRef } from '../../domain/job-ref';
import type { Database } from '../schema';
import type { CycleRecord } from './cycles';
import { listJobs } from './jobs';
import { findPromotion, type LedgerEntry, listPromotions } from './promotions';

/** All that is on record of one generation of a cycle (X5). */
export interface CycleLineage {
  readonly record: CycleRecord;
  readonly jobs: readonly JobRef[];
  /** Of its promotion, if it was promoted. */
  readonly promotion?: LedgerEntry;
  /** What people were told, in order. */
  readonly told: readonly ToldOutcome[];
}

export interface ToldOutcome {
  readonly outcomeId: string;
  /** RFC 3339; null while no telling was confirmed. */
  readonly confirmedAt: string | null;
}

export async function readLineage(db: Kysely<Database>, record: CycleRecord): Promise<CycleLineage> {
  const { cycle } = record;
  const own = await findPromotion(db, cycle);
  const promotion = own === undefined ? undefined : (await listPromotions(db, cycle.pipeline)).find((entry) => entry.sequence === own.sequence);
  return { record, jobs: await listJobs(db, cycle), ...(promotion === undefined ? {} : { promotion }), told: await listTold(db, `${generationPrefix(cycle)}/`) };
}

async function listTold(db: Kysely<Database>, prefix: string): Promise<readonly ToldOutcome[]> {
  const rows = await db
    .selectFrom('meridian.notification')
    .select(['outcome_id', 'confirmed_at'])
    .where((eb) => eb.fn<boolean>('starts_with', ['outcome_id', eb.val(prefix)]))
    .orderBy('claimed_at')
    .execute();
  return rows.map((row) => ({ outcomeId: row.outcome_id, confirmedAt: row.confirmed_at?.toISOString() ?? null }));
}
