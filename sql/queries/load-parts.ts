import { type Kysely, sql } from 'kysely';
import type { CopyPart } from '../../domain/documents';
import type { Database } from '../schema';
import type { VersionKey } from './versions';

/**
 * Claims a part inside the transaction that copies it, before the copy: a second attempt waits here for the first, and then
 * copies nothing. False when the part is in already.
 */
export async function claimPart(db: Kysely<Database>, key: VersionKey, part: CopyPart): Promise<boolean> {
  const row = await db
    .insertInto('meridian.load_part')
    .values({
      relation: key.relation,
      version: key.version,
      part_uri: part.uri,
      etag: part.etag,
      rows: part.rows,
      size_bytes: part.sizeBytes,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('part_uri')
    .executeTakeFirst();
  return row !== undefined;
}

/** URIs of the parts that are in a candidate for good. */
export async function loadedPartUris(db: Kysely<Database>, key: VersionKey): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('meridian.load_part')
    .select('part_uri')
    .where('relation', '=', key.relation)
    .where('version', '=', key.version)
    .execute();
  return new Set(rows.map((row) => row.part_uri));
}

/** How many parts and rows a candidate's ledger says are in it. */
export async function sumLoadedParts(db: Kysely<Database>, key: VersionKey): Promise<{ readonly parts: number; readonly rows: number }> {
  return await db
    .selectFrom('meridian.load_part')
    .select(({ fn }) => [
      fn.countAll<number>().as('parts'),
      sql<number>`coalesce(sum(rows), 0)::bigint`.as('rows'),
    ])
    .where('relation', '=', key.relation)
    .where('version', '=', key.version)
    .executeTakeFirstOrThrow();
}
