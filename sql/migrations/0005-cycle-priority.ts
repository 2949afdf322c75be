import { type Kysely, sql } from 'kysely';

/** A cycle of a backfill lets others of its dataset have the turn first. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table meridian.cycle add column low_priority boolean not null default false`.execute(db);
}
