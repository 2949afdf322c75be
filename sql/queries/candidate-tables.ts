import { type Kysely, sql } from 'kysely';
import { COLUMN_TYPES, type ColumnSpec, type ColumnType, type IndexSpec } from '../../domain/pipeline-spec';
import type { Database } from '../schema';

/** Tables and views live here; readers find them by the default search path. */
export const SERVING_SCHEMA = 'public';

/** Types are written into DDL, where nothing can be bound: only those of the closed list are. */
function typeOf(type: ColumnType) {
  if (!COLUMN_TYPES.includes(type)) throw new RangeError(`"${type}" is no column type: expected one of ${COLUMN_TYPES.join(', ')}`);
  return sql.raw(type);
}

/** Creates a candidate's table, logged and without indexes; those come when the rows are in. */
export async function createTable(db: Kysely<Database>, table: string, columns: readonly ColumnSpec[]): Promise<void> {
  const definitions = columns.map((column) => sql`${sql.id(column.name)} ${typeOf(column.type)}`);
  await sql`create table ${sql.id(SERVING_SCHEMA, table)} (${sql.join(definitions)})`.execute(db);
}

/** Drops a version's table, never with CASCADE: what somebody built on it is theirs to move. Idempotent. */
export async function dropTable(db: Kysely<Database>, table: string): Promise<void> {
  await sql`drop table if exists ${sql.id(SERVING_SCHEMA, table)} restrict`.execute(db);
}

/** Drops a view, never with CASCADE. Idempotent. */
export async function dropView(db: Kysely<Database>, view: string): Promise<void> {
  await sql`drop view if exists ${sql.id(SERVING_SCHEMA, view)} restrict`.execute(db);
}

/** Idempotent by name: `<table>_i<n>`. */
export async function createIndex(db: Kysely<Database>, table: string, index: IndexSpec, n: number): Promise<void> {
  const columns = sql.join(index.columns.map((column) => sql.id(column)));
  await sql`
    create index if not exists ${sql.id(`${table}_i${n}`)} on ${sql.id(SERVING_SCHEMA, table)}
    using ${sql.id(index.method)} (${columns})`.execute(db);
}

/** Proves that the key is unique, nulls counted as equal, and keeps it so. Idempotent by name: `<table>_key`. */
export async function createUniqueKey(db: Kysely<Database>, table: string, key: readonly string[]): Promise<void> {
  const columns = sql.join(key.map((column) => sql.id(column)));
  await sql`
    create unique index if not exists ${sql.id(`${table}_key`)} on ${sql.id(SERVING_SCHEMA, table)}
    (${columns}) nulls not distinct`.execute(db);
}

/** Freezes and analyses a table. Call it outside a transaction; cheap on one that it has been through. */
export async function vacuumTable(db: Kysely<Database>, table: string): Promise<void> {
  await sql`vacuum (freeze, analyze) ${sql.id(SERVING_SCHEMA, table)}`.execute(db);
}

/** Rows of a table, counted and not estimated. */
export async function countRows(db: Kysely<Database>, table: string): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) as count from ${sql.id(SERVING_SCHEMA, table)}`.execute(db);
  return rows[0]?.count ?? 0;
}

/** How many keys stand on more than one row. */
export async function countRepeatedKeys(db: Kysely<Database>, table: string, key: readonly string[]): Promise<number> {
  const columns = sql.join(key.map((column) => sql.id(column)));
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from (
      select from ${sql.id(SERVING_SCHEMA, table)} group by ${columns} having count(*) > 1
    ) repeated`.execute(db);
  return rows[0]?.count ?? 0;
}

export interface LiveRelation {
  /** PostgreSQL's `relkind`: `v` is a view. */
  readonly kind: string;
  /** In order; types as PostgreSQL spells them, such as `timestamp with time zone`. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

/** What stands under a view's name today; undefined when nothing does. */
export async function readLiveRelation(db: Kysely<Database>, view: string): Promise<LiveRelation | undefined> {
  const { rows } = await sql<LiveRelation>`
    select c.relkind as kind,
           coalesce(jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod)) order by a.attnum)
             filter (where a.attnum is not null), '[]') as columns
      from pg_class c
      left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = ${SERVING_SCHEMA}::regnamespace and c.relname = ${view}
     group by c.oid, c.relkind`.execute(db);
  return rows[0];
}
