import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { ChunkDatabase } from './chunk-database';
import type { RawLimits } from './line-splitter';
import { columnTypes, footerRowCount, numberedSource } from './parquet-rows';
import { addSoundRows } from './record-sql';
import { ESCAPED_BYTES, type SoundSplit, soundSql } from './sound-rows';

/** No text of a device's is longer. What is, is read the careful way: a small file can hold texts that no disk can. */
const QUICK_TEXT_BYTES = 256;

/** How an object's rows can be read once, straight into the chunk's table, before anybody knows whether the object can be read at all. */
export interface QuickRows {
  /** As its footer says. */
  readonly rowCount: number;
  /** True of the rows that need no judge. */
  readonly condition: string;
  /** Their values. */
  readonly columns: string;
  /** Objects that have it in common can be read by one statement. */
  readonly shape: string;
}

/** A local object, by its number in the chunk. */
export interface QuickObject {
  readonly index: number;
  readonly path: string;
  readonly quick: QuickRows;
}

/** How many rows a statement put in the table for an object, and how many of them are sound. */
export interface QuickCounts {
  readonly rowCount: number;
  readonly soundCount: number;
}

/**
 * Looks at no more than the object's footer. @returns undefined where more must be known before its rows may fill a table: of a bomb, of
 * types that have no bound, of names that are in the way
 * @throws Error of DuckDB where the footer cannot be read
 */
export async function quickRows(db: ChunkDatabase, path: string, split: SoundSplit, limits: RawLimits): Promise<QuickRows | undefined> {
  const types = await columnTypes(db, path);
  if ([...types.keys()].some((name) => name.toLowerCase() === 'file_index')) return undefined;
  const sql = soundSql(split, types, limits);
  if (sql?.textColumns === undefined) return undefined;
  const rowBytes = sql.fixedBytes + sql.textColumns.length * (QUICK_TEXT_BYTES * ESCAPED_BYTES + 2);
  const rowCount = await footerRowCount(db, path);
  if (rowBytes > limits.maxLineBytes || rowCount * rowBytes > limits.maxObjectBytes) return undefined;
  const condition = [sql.condition, ...sql.textColumns.map((column) => `coalesce(strlen(${column}) <= ${QUICK_TEXT_BYTES}, true)`)].join(' and ');
  return { rowCount, condition, columns: sql.columns, shape: JSON.stringify([[...types], condition]) };
}

/**
 * Reads all rows of objects of one shape, which follow one another in the chunk, into the table: all or, when it throws, none.
 * @returns what it found of each object that has rows, by the object's number
 * @throws Error of DuckDB where one of them cannot be read
 */
export async function addQuickly(db: ChunkDatabase, spec: PipelineSpec, table: string, objects: readonly QuickObject[]): Promise<ReadonlyMap<number, QuickCounts>> {
  const [first, last] = [objects[0], objects[objects.length - 1]];
  if (first === undefined || last === undefined) return new Map();
  const { columns, condition } = first.quick;
  const source = numberedSource(objects.map(({ path }) => path));
  await db.run(addSoundRows(spec, table, `select (file_index + ${first.index})::integer as _object, file_row_number + 1 as _line, ${columns}, (${condition}) as _is_sound from ${source}`));
  const counts = await db.rows(`select _object, count(*), count(_day) from ${table} where _object between ${first.index} and ${last.index} group by _object`);
  return new Map(counts.map(([object, rowCount, soundCount]) => [Number(object), { rowCount: Number(rowCount), soundCount: Number(soundCount) }]));
}
