import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { ColumnSpec } from '../../domain/pipeline-spec';
import type { Database } from '../schema';
import { SERVING_SCHEMA } from './candidate-tables';

/** Two versions' tables of one relation. A version never changes, so no statement here needs the snapshot of another. */
export interface ComparedTables {
  readonly live: string;
  readonly shadow: string;
  readonly key: readonly string[];
  /** In both tables, and not of the key. */
  readonly compared: readonly ColumnSpec[];
}

export interface DiffCounts {
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  readonly changedColumns: Readonly<Record<string, number>>;
}

/** Doubles that differ by less than this share of the larger one are the same: an average depends on the order of its rows. */
const RELATIVE_TOLERANCE = '1e-9';
const SAMPLED_CHARACTERS = 300;

type Row = Readonly<Record<string, unknown>>;
type Sql = RawBuilder<unknown>;

/** How many rows were added, removed and changed, by key; nulls in a key are equal, as in its unique index. */
export async function countDifferences(db: Kysely<Database>, tables: ComparedTables): Promise<DiffCounts> {
  const differs = tables.compared.map(differsSql);
  const perColumn = differs.map((each, n) => sql`count(*) filter (where l._here and s._here and ${each}) as ${sql.id(`c${n}`)}`);
  const { rows } = await sql<{ added: number; removed: number; changed: number } & Record<string, number>>`
    select ${sql.join([
      sql`count(*) filter (where l._here is null) as added`,
      sql`count(*) filter (where s._here is null) as removed`,
      sql`count(*) filter (where l._here and s._here and ${anyOf(differs)}) as changed`,
      ...perColumn,
    ])} from ${side(tables.live, tables.key)} l full join ${side(tables.shadow, tables.key)} s on l._key = s._key`.execute(db);
  const [row] = rows;
  const counts = tables.compared.map(({ name }, n) => [name, row?.[`c${n}`] ?? 0] as const);
  return {
    added: row?.added ?? 0,
    removed: row?.removed ?? 0,
    changed: row?.changed ?? 0,
    changedColumns: Object.fromEntries(counts.filter(([, count]) => count > 0)),
  };
}

/** The first rows, by key, of `table` whose key `other` does not have; of all, where there is no other. */
export async function sampleOnly(
  db: Kysely<Database>,
  { table, other, key, columns }: { readonly table: string; readonly other?: string; readonly key: readonly string[]; readonly columns: readonly ColumnSpec[] },
  limit: number,
): Promise<readonly Row[]> {
  const without = other === undefined ? sql`` : sql`left join ${side(other, key)} o on t._key = o._key where o._here is null`;
  const { rows } = await sql<{ row: Row }>`
    select ${objectSql('t', columns)} as row from ${side(table, key)} t ${without} order by t._key limit ${limit}`.execute(db);
  return rows.map(({ row }) => row);
}

/** The first rows, by key, that both have and that differ: the key, and of both sides the columns that do. */
export async function sampleChanged(
  db: Kysely<Database>,
  tables: ComparedTables,
  keyColumns: readonly ColumnSpec[],
  limit: number,
): Promise<readonly { readonly key: Row; readonly before: Row; readonly after: Row }[]> {
  const differs = tables.compared.map(differsSql);
  const names = tables.compared.map(({ name }, n) => sql`case when ${differs[n] ?? sql`false`} then ${name}::text end`);
  const { rows } = await sql<{ key: Row; before: Row; after: Row; names: readonly string[] }>`
    select ${objectSql('s', keyColumns)} as key, ${objectSql('l', tables.compared)} as before, ${objectSql('s', tables.compared)} as after,
           array_remove(array[${sql.join(names)}], null) as names
      from ${side(tables.live, tables.key)} l join ${side(tables.shadow, tables.key)} s on l._key = s._key
     where ${anyOf(differs)} order by s._key limit ${limit}`.execute(db);
  return rows.map(({ key, before, after, names: changed }) => ({ key, before: pick(before, changed), after: pick(after, changed) }));
}

export interface MeasuredColumn {
  readonly name: string;
  readonly nulls: number;
  readonly min?: string;
  readonly max?: string;
  readonly box?: string;
}

/** Rows of a table, and of each column the nulls, the range of what has an order that means something, and a geometry's box. */
export async function measure(
  db: Kysely<Database>,
  table: string,
  columns: readonly ColumnSpec[],
): Promise<{ readonly rows: number; readonly columns: readonly MeasuredColumn[] }> {
  const measures = columns.flatMap(({ name, type }, n) => {
    const column = sql.id(name);
    const as = (what: string) => sql.id(`${what}${n}`);
    const nulls = sql`count(*) - count(${column}) as ${as('n')}`;
    if (type.startsWith('geometry')) return [nulls, sql`st_extent(${column})::text as ${as('box')}`];
    if (type === 'text' || type === 'boolean') return [nulls];
    return [nulls, sql`min(${column})::text as ${as('min')}`, sql`max(${column})::text as ${as('max')}`];
  });
  const { rows } = await sql<{ rows: number } & Record<string, unknown>>`
    select ${sql.join([sql`count(*) as rows`, ...measures])} from ${sql.id(SERVING_SCHEMA, table)}`.execute(db);
  const row = rows[0] ?? { rows: 0 };
  const text = (name: string) => (typeof row[name] === 'string' ? { [name.replace(/\d+$/, '')]: row[name] } : {});
  return {
    rows: row.rows,
    columns: columns.map(({ name }, n) => ({ name, nulls: Number(row[`n${n}`] ?? 0), ...text(`min${n}`), ...text(`max${n}`), ...text(`box${n}`) })),
  };
}

/** A table with its key as one value: records are equal where their nulls meet, and can be hashed. Declared names have no underscore in front. */
function side(table: string, key: readonly string[]): Sql {
  const columns = key.length === 0 ? sql`` : sql.join(key.map((column) => sql.id(column)));
  return sql`(select row(${columns}) as _key, true as _here, * from ${sql.id(SERVING_SCHEMA, table)})`;
}

function differsSql({ name, type }: ColumnSpec): Sql {
  const [before, after] = [sql.id('l', name), sql.id('s', name)];
  if (type !== 'double precision') return sql`(${before} is distinct from ${after})`;
  // As numeric, where nothing overflows; beyond infinity nothing is close to anything.
  const [a, b] = [sql`${before}::numeric`, sql`${after}::numeric`];
  const close = sql`abs(${a} - ${b}) < 'Infinity' and abs(${a} - ${b}) <= ${sql.raw(RELATIVE_TOLERANCE)} * greatest(abs(${a}), abs(${b}))`;
  return sql`(case when ${before} is not distinct from ${after} then false else not coalesce(${close}, false) end)`;
}

function anyOf(conditions: readonly Sql[]): Sql {
  return conditions.length === 0 ? sql`false` : sql`(${sql.join([...conditions], sql` or `)})`;
}

/** A row as JSON, columns in the declared order; a geometry as EWKT. */
function objectSql(alias: string, columns: readonly ColumnSpec[]): Sql {
  const shown = columns.map(({ name, type }) => {
    const column = sql.id(alias, name);
    if (type.startsWith('geometry')) return sql`left(st_asewkt(${column}), ${sql.lit(SAMPLED_CHARACTERS)}) as ${sql.id(name)}`;
    return type === 'text' ? sql`left(${column}, ${sql.lit(SAMPLED_CHARACTERS)}) as ${sql.id(name)}` : sql`${column} as ${sql.id(name)}`;
  });
  return shown.length === 0 ? sql`'{}'::json` : sql`(select row_to_json(shown) from (select ${sql.join(shown)}) shown)`;
}

function pick(row: Row, names: readonly string[]): Row {
  return Object.fromEntries(names.map((name) => [name, row[name]]));
}
