import type { Json } from '@duckdb/node-api';
import type { FieldSpec } from '../../domain/pipeline-spec';
import { ChunkDatabase } from './chunk-database';
import { KEPT_RAW_BYTES, type RawLimits } from './line-splitter';
import { memberSql } from './parquet-member';
import { type SoundSplit, type SoundSql, soundSql } from './sound-rows';
import { sqlName, sqlText, sqlTextList } from './sql-text';
import { UnreadableObject } from './unreadable-object';

/** One row as the JSON line that a device would have sent: an object of the declared sources that the file has. */
export interface ParquetRow {
  /** Its number in the file, from 1. */
  readonly line: number;
  /** Cut where it is longer than is read. */
  readonly text: string;
  /** Of the whole text. */
  readonly sizeBytes: number;
  /** A text column without the UTF-8 annotation holds other bytes in this row; they are escaped in `text`. */
  readonly isUtf8: boolean;
}

export interface ParquetOptions {
  readonly memoryMb: number;
  readonly spillDir: string;
  readonly limits: RawLimits;
  readonly signal: AbortSignal;
  /** Rows that need no judge are not among the others; absent: all rows are. */
  readonly split?: SoundSplit;
  /** Rows that have been taken already, and are not among the others either. In place of `split`. */
  readonly taken?: string;
  /** Told which they are; nothing after all when the object turns out to be unreadable. */
  readonly onSound?: (rows: SoundRows | undefined) => void;
}

/** The rows of an object that need no judge. */
export interface SoundRows {
  readonly count: number;
  /** Their `_line`, `_is_sound` and declared fields, from the object's file, which has been read whole. */
  readonly query: string;
}

/** A fault of these is the machine's: the file was there a moment ago, and nothing spills while it is read. */
const MACHINE_FAULT = /cannot open file|could not open file|too many open files|no space left/i;
const DETAIL_CHARACTERS = 300;
/** Of an object's memory: the chunk's database, which reads the same rows next, has a third more than that (chunk-input.ts), for its table. */
const SOUND_SHARE = 2 / 3;

/**
 * The rows of one local Parquet file in their order, in blocks whose rows are made one at a time. Only the declared columns are
 * read, found by their exact name; one that is missing is missing in the object too. A timestamp column becomes epoch
 * milliseconds, with its fraction, for a `timestamp-ms` field.
 *
 * A database of its own for each file: a file that makes DuckDB fail internally invalidates the instance that reads it.
 * @throws UnreadableObject when footer, page, compression or encryption keep it from being read within `memoryMb`
 */
export async function* parquetRows(
  path: string,
  fields: readonly FieldSpec[],
  options: ParquetOptions,
): AsyncGenerator<Iterable<ParquetRow>> {
  const db = await ChunkDatabase.open({ ...options, inOrder: true });
  let isWhole = false;
  try {
    const [source, numbered] = [parquetSource([path]), numberedSource([path])];
    const types = await columnTypes(db, path);
    const sound = options.taken === undefined ? await findSoundRows(db, path, types, options) : { condition: options.taken, isAll: false };
    isWhole = sound?.isAll === true;
    if (isWhole) return;
    let line = 0;
    const rest =
      sound === undefined
        ? rowsSql(source, 'null', fields, types, options.limits)
        : rowsSql(`(from ${numbered} where (${sound.condition}) is not true)`, 'file_row_number', fields, types, options.limits);
    yield* db.stream(rest, ([text, sizeBytes, isUtf8, row]) => ({
      line: row === null ? ++line : Number(row) + 1,
      text: `${text as string}`,
      sizeBytes: Number(sizeBytes),
      isUtf8: isUtf8 === true,
    }));
    isWhole = true;
  } catch (error) {
    options.signal.throwIfAborted();
    const { message } = error as Error;
    throw isObjectsFault(message) ? new UnreadableObject(`no readable Parquet: ${shortened(message, path)}`) : error;
  } finally {
    if (!isWhole) options.onSound?.(undefined); // an object counts whole or not at all
    db.close();
  }
}

/** For `from`. By their paths DuckDB would take files for Hive partitions, or find options in a file's own name. */
function parquetSource(paths: readonly string[], more = ''): string {
  return `read_parquet(${sqlTextList(paths)}, hive_partitioning = false, union_by_name = false${more})`;
}

/** With `file_row_number` from 0, and `file_index`, that of the path. */
export function numberedSource(paths: readonly string[]): string {
  return parquetSource(paths, ', file_row_number = true');
}

/** DuckDB's types of a file's columns by their names, in their order. */
export async function columnTypes(db: ChunkDatabase, path: string): Promise<ReadonlyMap<string, string>> {
  const columns = await db.rows(`describe select * from ${parquetSource([path])}`);
  return new Map(columns.map(([name, type]) => [`${name as string}`, `${type as string}`]));
}

/** As many as the footer says: a file may say that it has rows without end. */
export async function footerRowCount(db: ChunkDatabase, path: string): Promise<number> {
  const [[rows] = []] = await db.rows(`select count(*) from ${parquetSource([path])}`);
  return Number(rows);
}

/**
 * Reads the whole object, so that nothing in it can surprise the chunk's database, which then reads the sound rows of it beside other
 * work. @returns undefined where every row must be looked at: those of a bomb, and those that take much memory to read
 */
async function findSoundRows(
  db: ChunkDatabase,
  path: string,
  types: ReadonlyMap<string, string>,
  { split, limits, memoryMb, onSound }: ParquetOptions,
): Promise<{ readonly condition: string; readonly isAll: boolean } | undefined> {
  const sql: SoundSql | undefined = split === undefined ? undefined : soundSql(split, types, limits);
  if (sql === undefined) return undefined;
  const [source, rows] = [numberedSource([path]), await footerRowCount(db, path)];
  if (rows * sql.fixedBytes > limits.maxObjectBytes) return undefined;
  const fields = split?.spec.record.fields.map(({ name }) => sqlName(name)).join(', ');
  const found = await withinMemory(db, memoryMb * SOUND_SHARE, memoryMb, `select count(*) filter (where _is_sound), coalesce(sum(_text_bytes), 0)::double, bit_xor(hash(${fields}))
    from (select (${sql.condition}) as _is_sound, ${sql.textBytes} as _text_bytes, ${sql.columns} from ${source})`);
  if (found === undefined) return undefined;
  const [[sound, textBytes] = []] = found;
  if (rows * sql.fixedBytes + Number(textBytes) > limits.maxObjectBytes) return undefined;
  const isAll = Number(sound) === rows;
  const where = isAll ? '' : ` where ${sql.condition}`;
  onSound?.({ count: Number(sound), query: `select file_row_number + 1 as _line, true as _is_sound, ${sql.columns} from ${source}${where}` });
  return { condition: sql.condition, isAll };
}

/** Rows of a query, unless it takes more memory than that. */
async function withinMemory(db: ChunkDatabase, memoryMb: number, usualMb: number, sql: string): Promise<readonly (readonly Json[])[] | undefined> {
  await db.limitMemory(memoryMb);
  try {
    return await db.rows(sql);
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('Out of Memory Error')) return undefined;
    throw error;
  } finally {
    await db.limitMemory(usualMb);
  }
}

function rowsSql(
  source: string,
  row: string,
  fields: readonly FieldSpec[],
  types: ReadonlyMap<string, string>,
  { maxLineBytes }: RawLimits,
): string {
  const present = fields
    .filter((field, index) => types.has(field.source) && fields.findIndex(({ source }) => source === field.source) === index)
    .map((field) => ({ field, column: sqlName(field.source), type: types.get(field.source) ?? '' }));
  const members = present.map(({ field, column, type }) => `${sqlText(field.source)}, ${memberSql(field, column, type)}`);
  const blobs = present.filter(({ type }) => type === 'BLOB').map(({ column }) => `(${column} is null or try(decode(${column})) is not null)`);
  return `select case when _size > ${maxLineBytes} then left(_text, ${KEPT_RAW_BYTES}) else _text end, _size, _is_utf8, _row from (
    select ${row} as _row, json_object(${members.join(', ')})::varchar as _text, strlen(_text) as _size,
      ${blobs.length === 0 ? 'true' : blobs.join(' and ')} as _is_utf8
    from ${source})`;
}

/** DuckDB's messages begin with the kind of error; whatever else is thrown, or is wrong with the SQL, is a fault of this code. */
function isObjectsFault(message: string): boolean {
  return /^(?!Parser|Catalog)[A-Z][A-Za-z ]* Error: /.test(message) && !MACHINE_FAULT.test(message);
}

/** In one line, without the scratch file's name and the statement, which mean nothing tomorrow. */
function shortened(message: string, path: string): string {
  return message.replace(/\s+LINE \d+:.*$/s, '').replaceAll(path, 'the object').replace(/\s+/g, ' ').slice(0, DETAIL_CHARACTERS);
}
