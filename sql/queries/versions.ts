import { type Kysely, sql } from 'kysely';
import type { CycleRef } from '../../domain/cycle';
import type { ColumnSpec } from '../../domain/pipeline-spec';
import type { Database, VersionRefresh, VersionState } from '../schema';
import { generationKey, toCycleRef } from './generation';

export interface VersionKey {
  readonly relation: string;
  readonly version: number;
}

export interface VersionRow extends VersionKey {
  readonly table: string;
  readonly state: VersionState;
  readonly columns: readonly ColumnSpec[];
  readonly rows: number | null;
}

/** The version that a generation made of a relation, in whatever state. */
export async function findVersionOf(db: Kysely<Database>, cycle: CycleRef, relation: string): Promise<VersionRow | undefined> {
  const row = await db
    .selectFrom('meridian.version')
    .select(['relation', 'version', 'table_name', 'state', 'columns', 'rows'])
    .where('relation', '=', relation)
    .where('pipeline', '=', cycle.pipeline)
    .where('interval_end', '=', new Date(cycle.intervalEnd))
    .where('generation', '=', cycle.generation)
    .executeTakeFirst();
  return row === undefined ? undefined : toVersionRow(row);
}

export async function findVersion(db: Kysely<Database>, { relation, version }: VersionKey): Promise<VersionRow | undefined> {
  const row = await db
    .selectFrom('meridian.version')
    .select(['relation', 'version', 'table_name', 'state', 'columns', 'rows'])
    .where('relation', '=', relation)
    .where('version', '=', version)
    .executeTakeFirst();
  return row === undefined ? undefined : toVersionRow(row);
}

/** The version that a relation's view serves, if it serves any. */
export async function findServedVersion(db: Kysely<Database>, relation: string): Promise<VersionRow | undefined> {
  const row = await db
    .selectFrom('meridian.version')
    .select(['relation', 'version', 'table_name', 'state', 'columns', 'rows'])
    .where('relation', '=', relation)
    .where('state', '=', 'promoted')
    .executeTakeFirst();
  return row === undefined ? undefined : toVersionRow(row);
}

/** Reads a version's state and keeps it to the end of the transaction: several loaders at once may, a dropper waits for them. */
export async function shareVersion(db: Kysely<Database>, key: VersionKey): Promise<VersionState | undefined> {
  const row = await db
    .selectFrom('meridian.version')
    .select('state')
    .where('relation', '=', key.relation)
    .where('version', '=', key.version)
    .forShare()
    .executeTakeFirst();
  return row?.state;
}

/** The same, for one alone. */
export async function lockVersion(db: Kysely<Database>, key: VersionKey): Promise<VersionState | undefined> {
  const row = await db
    .selectFrom('meridian.version')
    .select('state')
    .where('relation', '=', key.relation)
    .where('version', '=', key.version)
    .forUpdate()
    .executeTakeFirst();
  return row?.state;
}

/** The pipeline that a relation's versions belong to, if it has any. */
export async function findPipelineOfRelation(db: Kysely<Database>, relation: string): Promise<string | undefined> {
  const row = await db.selectFrom('meridian.version').select('pipeline').where('relation', '=', relation).limit(1).executeTakeFirst();
  return row?.pipeline;
}

/** The next version of a relation, `loading`; undefined when another cycle took the number or this generation has one. */
export async function insertVersion(
  db: Kysely<Database>,
  cycle: CycleRef,
  relation: string,
  columns: readonly ColumnSpec[],
): Promise<VersionRow | undefined> {
  const key = generationKey(cycle);
  const { rows } = await sql<Parameters<typeof toVersionRow>[0]>`
    insert into meridian.version (relation, version, table_name, pipeline, interval_end, generation, state, columns, base_sequence)
    select ${relation}, n, ${relation} || '_v' || n, ${key.pipeline}, ${key.interval_end}::timestamptz, ${key.generation}::integer,
           'loading', ${JSON.stringify(columns)}::jsonb,
           (select coalesce(max(sequence), 0) from meridian.promotion where pipeline = ${key.pipeline})
      from (select coalesce(max(version), 0) + 1 as n from meridian.version where relation = ${relation}) next
    on conflict do nothing
    returning relation, version, table_name, state, columns, rows`.execute(db);
  return rows[0] === undefined ? undefined : toVersionRow(rows[0]);
}

/** Moves a candidate from `loading` to `loaded`. */
export async function markLoaded(db: Kysely<Database>, key: VersionKey, rowCount: number): Promise<void> {
  await db
    .updateTable('meridian.version')
    .set({ state: 'loaded', rows: rowCount, loaded_at: sql<Date>`clock_timestamp()` })
    .where('relation', '=', key.relation)
    .where('version', '=', key.version)
    .where('state', '=', 'loading')
    .execute();
}

/** Says that a version is to go, before its table does: a late loader finds this, not a missing table. */
export async function markDropped(db: Kysely<Database>, key: VersionKey, from: readonly VersionState[]): Promise<boolean> {
  const row = await db
    .updateTable('meridian.version')
    .set({ state: 'dropped' })
    .where('relation', '=', key.relation)
    .where('version', '=', key.version)
    .where('state', 'in', [...from])
    .returning('version')
    .executeTakeFirst();
  return row !== undefined;
}

/** Notes that a dropped version's table is really gone. */
export async function markGone(db: Kysely<Database>, key: VersionKey): Promise<void> {
  await db
    .updateTable('meridian.version')
    .set({ dropped_at: sql<Date>`clock_timestamp()` })
    .where('relation', '=', key.relation)
    .where('version', '=', key.version)
    .where('state', '=', 'dropped')
    .execute();
}

/** Every version of a generation whose table may still be there. */
export async function findVersionsOf(db: Kysely<Database>, cycle: CycleRef): Promise<readonly VersionRow[]> {
  const rows = await db
    .selectFrom('meridian.version')
    .select(['relation', 'version', 'table_name', 'state', 'columns', 'rows'])
    .where('pipeline', '=', cycle.pipeline)
    .where('interval_end', '=', new Date(cycle.intervalEnd))
    .where('generation', '=', cycle.generation)
    .where('dropped_at', 'is', null)
    .orderBy('relation')
    .execute();
  return rows.map(toVersionRow);
}

export interface ListedVersion extends VersionRow {
  readonly cycle: CycleRef;
  /** What the cycle counted and what its rules said, as its record has it. */
  readonly counts: Readonly<Record<string, unknown>>;
  /** How it was made, of a relation that is refreshed by day. */
  readonly refresh: VersionRefresh | null;
  readonly loadedAt: string | null;
  /** True for the one that the view serves. */
  readonly current: boolean;
  readonly createdAt: string;
  readonly promotedAt: string | null;
  readonly droppedAt: string | null;
}

/** Every version that a relation ever had, newest first; for `meridian versions`. */
export async function listVersions(db: Kysely<Database>, relation: string): Promise<readonly ListedVersion[]> {
  const rows = await db
    .selectFrom('meridian.version as v')
    .innerJoin('meridian.cycle as c', (join) =>
      join
        .onRef('c.pipeline', '=', 'v.pipeline')
        .onRef('c.interval_end', '=', 'v.interval_end')
        .onRef('c.generation', '=', 'v.generation'),
    )
    .select(['v.relation', 'v.version', 'v.table_name', 'v.state', 'v.columns', 'v.rows', 'v.refresh', 'v.created_at', 'v.loaded_at', 'v.promoted_at', 'v.dropped_at'])
    .select(['c.counts', 'c.pipeline', 'c.dataset', 'c.interval_start', 'c.interval_end', 'c.generation'])
    .where('v.relation', '=', relation)
    .orderBy('v.version', 'desc')
    .execute();
  return rows.map((row) => ({
    ...toVersionRow(row),
    cycle: toCycleRef(row),
    counts: row.counts,
    refresh: row.refresh,
    loadedAt: row.loaded_at?.toISOString() ?? null,
    current: row.state === 'promoted',
    createdAt: row.created_at.toISOString(),
    promotedAt: row.promoted_at?.toISOString() ?? null,
    droppedAt: row.dropped_at?.toISOString() ?? null,
  }));
}

function toVersionRow(row: {
  readonly relation: string;
  readonly version: number;
  readonly table_name: string;
  readonly state: VersionState;
  readonly columns: readonly ColumnSpec[];
  readonly rows: number | null;
}): VersionRow {
  return {
    relation: row.relation,
    version: row.version,
    table: row.table_name,
    state: row.state,
    columns: row.columns,
    rows: row.rows,
  };
}
