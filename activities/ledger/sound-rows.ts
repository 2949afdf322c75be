import type { FieldSpec, PipelineSpec } from '../../domain/pipeline-spec';
import type { RawLimits } from './line-splitter';
import { memberSql } from './parquet-member';
import { LATEST_EPOCH_MS, SQL_TYPES, typedSql } from './record-sql';
import { sqlName } from './sql-text';

/** What says which rows of a Parquet object need no judge. */
export interface SoundSplit {
  readonly spec: PipelineSpec;
  /** Event times that the object's arrival allows, epoch milliseconds. */
  readonly window: { readonly from: number; readonly to: number };
}

/** A column that the object has for a declared field. */
interface PresentField {
  readonly field: FieldSpec;
  readonly column: string;
  readonly type: string;
}

export interface SoundSql {
  /** True of rows that the JSON line of their values would be stored for, unless they are repeats. */
  readonly condition: string;
  /** Their values: the declared fields by name and type. */
  readonly columns: string;
  /** No JSON text of a row is longer, its texts left out. */
  readonly fixedBytes: number;
  /** What the texts of a row come to at most. */
  readonly textBytes: string;
  /** The columns that are text; undefined where one is of a type whose text no column's length bounds, as a list is. */
  readonly textColumns: readonly string[] | undefined;
}

/** JSON writes no number or boolean longer; a name costs itself, two quotes, a colon and a comma. */
const LONGEST_SCALAR = 32;
const NAME_BYTES = 4;
/** A character that JSON must escape takes six bytes. */
export const ESCAPED_BYTES = 6;
const INTEGERS: readonly string[] = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT', 'UTINYINT', 'USMALLINT', 'UINTEGER'];
const SCALARS: readonly string[] = [...INTEGERS, 'FLOAT', 'DOUBLE', 'BOOLEAN'];

/**
 * Rows whose values can be taken as they stand, without their way through JSON: the same values come out, which a property test
 * holds (docs/decisions/0011). Every other row keeps its way, and so its verdict, its detail and its text.
 * @returns undefined where a column has no such rows, or the object's own names are in the way
 */
export function soundSql({ spec, window }: SoundSplit, types: ReadonlyMap<string, string>, { maxLineBytes }: RawLimits): SoundSql | undefined {
  if ([...types.keys()].some((name) => name.toLowerCase() === 'file_row_number')) return undefined;
  const { record } = spec;
  const present = record.fields.flatMap((field): PresentField[] => {
    const type = types.get(field.source);
    return type === undefined ? [] : [{ field, column: sqlName(field.source), type }];
  });
  // Bytes that may be no text, and values of another width than their JSON.
  if (present.some(({ type }) => type === 'BLOB')) return undefined;
  const valueOf = (name: string) => {
    const found = present.find(({ field }) => field.name === name);
    return found === undefined ? undefined : soundValue(found);
  };
  const [time, longitude, latitude] = [record.eventTime, record.longitude, record.latitude].map(valueOf);
  if (time === undefined || longitude === undefined || latitude === undefined) return undefined;
  const fixedBytes = present.reduce((sum, { field, type }) => sum + Buffer.byteLength(field.source) * ESCAPED_BYTES + NAME_BYTES + (SCALARS.includes(type) ? LONGEST_SCALAR : 0), 2);
  const others = present.filter(({ type }) => !SCALARS.includes(type));
  const texts = others.map(textBytesOf);
  const textBytes = texts.length === 0 ? '0' : texts.join(' + ');
  const from = Math.max(window.from, 0);
  const to = Math.min(window.to - 1, LATEST_EPOCH_MS);
  const condition = [
    `epoch_ms(${time}) between ${from} and ${to}`,
    `abs(${longitude}) <= 180`,
    `abs(${latitude}) <= 90`,
    ...present.filter(({ field }) => field.type === 'text').map((each) => `not coalesce(contains(${soundValue(each)}, chr(0)), false)`),
    `${fixedBytes} + ${textBytes} <= ${maxLineBytes}`,
  ].join(' and ');
  const columns = record.fields.map((field) => `${valueOf(field.name) ?? `null::${SQL_TYPES[field.type]}`} as ${sqlName(field.name)}`).join(', ');
  return { condition, columns, fixedBytes, textBytes, textColumns: others.every(({ type }) => type === 'VARCHAR') ? others.map(({ column }) => column) : undefined };
}

/** The value that the field has after its way through JSON; where the types are not the same, by that very way. */
function soundValue({ field, column, type }: PresentField): string {
  const isInteger = INTEGERS.includes(type);
  if (field.type === 'timestamp-ms' && isInteger) return `(case when ${column} between 0 and ${LATEST_EPOCH_MS} then make_timestamptz(${column}::bigint * 1000) end)`;
  if (field.type === 'double' && (type === 'DOUBLE' || type === 'FLOAT')) return `(case when isfinite(${column}) then ${column}::double end)`;
  if (field.type === 'double' && isInteger) return `${column}::double`;
  if (field.type === 'bigint' && isInteger) return `${column}::bigint`;
  if (field.type === 'text' && type === 'VARCHAR') return column;
  if (field.type === 'boolean' && type === 'BOOLEAN') return column;
  return `(${typedSql(field, `to_json(${memberSql(field, column, type)})::varchar`)})`;
}

function textBytesOf({ field, column, type }: PresentField): string {
  return type === 'VARCHAR' ? `coalesce(strlen(${column}) * ${ESCAPED_BYTES} + 2, 4)` : `coalesce(strlen(to_json(${memberSql(field, column, type)})::varchar), 4)`;
}
