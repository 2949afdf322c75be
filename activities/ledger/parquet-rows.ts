import type { FieldSpec } from '../../domain/pipeline-spec';
import { ChunkDatabase } from './chunk-database';
import { KEPT_RAW_BYTES, type RawLimits } from './line-splitter';
import { sqlName, sqlText } from './sql-text';
import { UnreadableObject } from './unreadable-object';

/** One row as the JSON line that a device would have sent: an object of the declared sources that the file has. */
export interface ParquetRow {
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
}

/** A fault of these is the machine's: the file was there a moment ago, and nothing spills while it is read. */
const MACHINE_FAULT = /cannot open file|could not open file|too many open files|no space left/i;
const DETAIL_CHARACTERS = 300;

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
  try {
    // By its path DuckDB would take it for a Hive partition, or find options in the file's own name.
    const source = `read_parquet(${sqlText(path)}, hive_partitioning = false, union_by_name = false)`;
    const columns = await db.rows(`describe select * from ${source}`);
    const types = new Map(columns.map(([name, type]) => [`${name as string}`, `${type as string}`]));
    yield* db.stream(rowsSql(source, fields, types, options.limits), ([text, sizeBytes, isUtf8]) => ({
      text: `${text as string}`,
      sizeBytes: Number(sizeBytes),
      isUtf8: isUtf8 === true,
    }));
  } catch (error) {
    options.signal.throwIfAborted();
    const { message } = error as Error;
    throw isObjectsFault(message) ? new UnreadableObject(`no readable Parquet: ${shortened(message, path)}`) : error;
  } finally {
    db.close();
  }
}

function rowsSql(
  source: string,
  fields: readonly FieldSpec[],
  types: ReadonlyMap<string, string>,
  { maxLineBytes }: RawLimits,
): string {
  const present = fields
    .filter((field, index) => types.has(field.source) && fields.findIndex(({ source }) => source === field.source) === index)
    .map((field) => ({ field, column: sqlName(field.source), type: types.get(field.source) ?? '' }));
  const members = present.map(({ field, column, type }) => `${sqlText(field.source)}, ${memberSql(field, column, type)}`);
  const blobs = present.filter(({ type }) => type === 'BLOB').map(({ column }) => `(${column} is null or try(decode(${column})) is not null)`);
  return `select case when _size > ${maxLineBytes} then left(_text, ${KEPT_RAW_BYTES}) else _text end, _size, _is_utf8 from (
    select json_object(${members.join(', ')})::varchar as _text, strlen(_text) as _size,
      ${blobs.length === 0 ? 'true' : blobs.join(' and ')} as _is_utf8
    from ${source})`;
}

function memberSql(field: FieldSpec, column: string, type: string): string {
  if (field.type === 'timestamp-ms' && type.startsWith('TIMESTAMP')) {
    // An instant that DuckDB cannot count (infinity) is none. A fraction of a millisecond stays to be seen by the judge.
    const [count, perMs] = type === 'TIMESTAMP_NS' ? [`epoch_ns(${column})`, 1_000_000] : [`epoch_us(${column})`, 1_000];
    return `try(case when ${count} % ${perMs} = 0 then to_json(${count} // ${perMs}) else to_json(${count} / ${perMs}.0) end)`;
  }
  if (type === 'BLOB') return `coalesce(to_json(try(decode(${column}))), to_json(${column}))`;
  return column;
}

/** DuckDB's messages begin with the kind of error; whatever else is thrown, or is wrong with the SQL, is a fault of this code. */
function isObjectsFault(message: string): boolean {
  return /^(?!Parser|Catalog)[A-Z][A-Za-z ]* Error: /.test(message) && !MACHINE_FAULT.test(message);
}

/** In one line, without the scratch file's name and the statement, which mean nothing tomorrow. */
function shortened(message: string, path: string): string {
  return message.replace(/\s+LINE \d+:.*$/s, '').replaceAll(path, 'the object').replace(/\s+/g, ' ').slice(0, DETAIL_CHARACTERS);
}
