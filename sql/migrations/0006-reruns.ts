import { type Kysely, sql } from 'kysely';

/** What a generation was run again from: which earlier one holds its records and its transform output. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table meridian.cycle add column rerun jsonb`.execute(db);
}
