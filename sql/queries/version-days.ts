import { type Kysely, sql } from 'kysely';
import { type BuiltDay, nextDay, type DayRange, type RefreshBase } from '../../domain/refresh';
import type { ColumnSpec } from '../../domain/pipeline-spec';
import type { Database, VersionRefresh } from '../schema';
import { SERVING_SCHEMA } from './candidate-tables';
import type { VersionKey } from './versions';

/** What the days of a version were made from; no days when it was not built day by day. */
export async function readBase(db: Kysely<Database>, key: VersionKey): Promise<RefreshBase> {
  const rows = await db
    .selectFrom('meridian.version_day')
    .select([sql<string>`day::text`.as('day'), 'digest', 'rows', 'parquet', 'built_at'])
    .where('relation', '=', key.relation)
    .where('version', '=', key.version)
    .execute();
  const days = rows.map(({ day, digest, rows: count, parquet, built_at: builtAt }) => [day, { digest, rows: count, parquet, builtAt: builtAt.toISOString() }] as const);
  return { version: key.version, days: new Map(days) };
}

/** A day of a version as it is to be noted. */
export interface NotedDay extends BuiltDay {
  readonly day: string;
  readonly digest: string;
  readonly builtAt: string;
  readonly copiedFrom?: number;
}

/** Notes how a version was made, and what of. Idempotent by (relation, version). */
export async function noteDays(db: Kysely<Database>, key: VersionKey, refresh: VersionRefresh, days: readonly NotedDay[]): Promise<void> {
  await db
    .updateTable('meridian.version')
    .set({ refresh: JSON.stringify(refresh) })
    .where('relation', '=', key.relation)
    .where('version', '=', key.version)
    .execute();
  await sql`
    insert into meridian.version_day (relation, version, day, digest, rows, parquet, built_at, copied_from)
    select ${key.relation}, ${key.version}::integer, d.day, d.digest, d.rows, d.parquet, d."builtAt", d."copiedFrom"
      from jsonb_to_recordset(${JSON.stringify(days)}::jsonb)
        as d(day date, digest text, rows bigint, parquet jsonb, "builtAt" timestamptz, "copiedFrom" integer)
    on conflict do nothing`.execute(db);
}

/** Forgets what a version's days were made from: nothing can be copied from it any more. Idempotent. */
export async function forgetDays(db: Kysely<Database>, key: VersionKey): Promise<void> {
  await db.deleteFrom('meridian.version_day').where('relation', '=', key.relation).where('version', '=', key.version).execute();
}

/** Copies the rows of a range of UTC days from one version's table into another's. @returns how many */
export async function copyRows(
  db: Kysely<Database>,
  { from, to, columns, by, first, last }: DayRange & { readonly from: string; readonly to: string; readonly columns: readonly ColumnSpec[]; readonly by: ColumnSpec },
): Promise<number> {
  const names = sql.join(columns.map((column) => sql.id(column.name)));
  const at = (day: string) => (by.type === 'date' ? sql`${day}::date` : sql`${`${day}T00:00:00Z`}::timestamptz`);
  const { numAffectedRows } = await sql`
    insert into ${sql.id(SERVING_SCHEMA, to)} (${names})
    select ${names} from ${sql.id(SERVING_SCHEMA, from)}
     where ${sql.id(by.name)} >= ${at(first)} and ${sql.id(by.name)} < ${at(nextDay(last))}`.execute(db);
  return Number(numAffectedRows ?? 0);
}
