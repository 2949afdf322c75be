import { type Kysely, sql } from 'kysely';
import type { Database } from './schema';

/**
 * Makes the extension where it is not. Idempotent.
 * @throws Error that says who can make it, where this role may not
 */
export async function ensurePostgis(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql`select 1 from pg_extension where extname = 'postgis'`.execute(db);
  if (rows.length > 0) return;
  try {
    await sql`create extension if not exists postgis`.execute(db);
  } catch (error) {
    throw new Error(
      `The database has no PostGIS, and this role may not make it: as an administrator of the database, run "create extension postgis" in it (${error instanceof Error ? error.message : String(error)})`,
      { cause: error },
    );
  }
}
