import { type Kysely, sql } from 'kysely';
import type { Database } from '../schema';

/**
 * Claims the right to tell an outcome, durably and before it is told. True for the first claim, and again for as long as no
 * telling was confirmed; after that never (I9).
 */
export async function claimNotification(db: Kysely<Database>, outcomeId: string): Promise<boolean> {
  const row = await db
    .insertInto('meridian.notification')
    .values({ outcome_id: outcomeId, claims: 1, claimed_at: sql<Date>`clock_timestamp()` })
    .onConflict((conflict) =>
      conflict
        .column('outcome_id')
        .doUpdateSet((eb) => ({ claims: eb('meridian.notification.claims', '+', 1), claimed_at: sql<Date>`clock_timestamp()` }))
        .where('meridian.notification.confirmed_at', 'is', null),
    )
    .returning('claims')
    .executeTakeFirst();
  return row !== undefined;
}

/** Notes that an outcome was told; the first time stands. */
export async function confirmNotification(db: Kysely<Database>, outcomeId: string): Promise<void> {
  await db
    .updateTable('meridian.notification')
    .set({ confirmed_at: sql<Date>`clock_timestamp()` })
    .where('outcome_id', '=', outcomeId)
    .where('confirmed_at', 'is', null)
    .execute();
}
