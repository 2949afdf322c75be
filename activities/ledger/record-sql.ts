import type { FieldSpec, PipelineSpec } from '../../domain/pipeline-spec';
import { fingerprintSql } from './fingerprint-sql';
import { KEPT_RAW_BYTES, type RawLimits } from './line-splitter';
import { sqlName, sqlText, sqlTextList } from './sql-text';

/** Year 9999's end: beyond it, what reads the Parquet files disagrees on timestamps. */
export const LATEST_EPOCH_MS = 253_402_300_799_999;
const DETAIL_CHARACTERS = 80;
const POSITION_SQL = '(_object::bigint << 40) | _line';

/** `object` has what SQL needs to know of each raw object; keys enter by the appender, never as SQL. */
export const CREATE_OBJECT_TABLE =
  'create table object (_object integer, raw_object varchar, raw_version varchar, _from_ms bigint, _to_ms bigint)';

/** Types of what the table `object`, once it is full, calls its objects. */
export const CREATE_NAME_TYPES = (['raw_object', 'raw_version'] as const).map((column) => `create type ${column}_name as enum (select distinct ${column} from object)`);

/** DuckDB's types of the declared fields. */
export const SQL_TYPES = { 'timestamp-ms': 'timestamptz', double: 'double', bigint: 'bigint', text: 'varchar', boolean: 'boolean' } as const;

/** A table for rows of Parquet objects that needed no judge (sound-rows.ts), fingerprinted. */
export function createSoundTable({ record }: PipelineSpec, table: string): string {
  const fields = record.fields.map((field) => `${sqlName(field.name)} ${SQL_TYPES[field.type]}`).join(', ');
  return `create table ${table} (_object integer, _line bigint, _day integer, _fingerprint uhugeint, ${fields})`;
}

/**
 * Adds rows of objects to such a table. @param rows - a query of `_object`, `_line`, `_is_sound` and the declared fields. Of rows that are
 * not sound after all the day is null, and so are the texts, which may be of any length
 */
export function addSoundRows(spec: PipelineSpec, table: string, rows: string): string {
  const { record } = spec;
  const fields = record.fields.map(({ name, type }) => (type === 'text' ? `case when _is_sound then ${sqlName(name)} end as ${sqlName(name)}` : sqlName(name)));
  return `insert into ${table} by name select _object, _line, ${fields.join(', ')},
    case when _is_sound then (epoch_ms(${sqlName(record.eventTime)}) // 86400000)::integer end as _day, ${keyFingerprintSql(spec)} as _fingerprint from (${rows})`;
}

/** View `record`: the judged lines, and the rows that needed no judge, from the tables that hold them. */
export function createRecordView({ record }: PipelineSpec, soundTables: readonly string[]): string {
  const fields = record.fields.map((field) => sqlName(field.name)).join(', ');
  const sound = soundTables.map((table) => ` union all by name
    select _object, _line, ${POSITION_SQL} as _position, null::varchar as _reason, null::varchar as _detail, null::varchar as _raw, ${fields}, _day, _fingerprint
    from ${table}`);
  return `create view record as from line_record${sound.join('')}`;
}

/**
 * Table `line_record`: a row for each line of the line file, typed, judged and fingerprinted in one pass. Columns that begin with an
 * underscore are ours; a declared field cannot be named so. `_reason` is null for records that may be stored.
 *
 * Verdicts, first that applies: not a JSON object, or a text with U+0000, which PostgreSQL cannot hold → `bad_line`; event time not an
 * integer literal within [1970, 9999] → `bad_timestamp`; coordinate missing or null → `null_coordinate`; not a number, or NaN or
 * Infinity as Python writes them → `bad_coordinate`; then range and event window. Other fields are attributes: a value that is
 * not of the declared type (a NaN, `"ground"` for an altitude) is stored as null. DuckDB's JSON reader admits a trailing comma;
 * of a repeated name the first counts.
 */
export function createRecordTable(spec: PipelineSpec, lineFile: string, limits: RawLimits): string {
  const { record } = spec;
  const token = (name: string) => `_token[${record.fields.findIndex((field) => field.name === name) + 1}]::varchar`;
  const [eventTime, longitude, latitude] = [record.eventTime, record.longitude, record.latitude].map(sqlName);
  const coordinates = [record.longitude, record.latitude];
  const isNull = (name: string) => `(${token(name)} is null or ${token(name)} = 'null')`;
  const shown = (name: string) =>
    `${sqlText(`${name} is `)} || coalesce(left(${token(name)}, ${DETAIL_CHARACTERS}), 'missing')`;
  const texts = record.fields.filter((field) => field.type === 'text').map((field) => sqlName(field.name));
  const holdsNul =
    texts.length === 0 ? 'false' : texts.map((name) => `coalesce(contains(${name}, chr(0)), false)`).join(' or ');

  return `create table line_record as
with line as (
  select * from read_csv(${sqlText(lineFile)}, auto_detect = false, header = false, delim = chr(31), quote = '', escape = '',
    new_line = '\\n', max_line_size = ${limits.maxLineBytes + KEPT_RAW_BYTES * 4},
    columns = {'_object': 'INTEGER', '_line': 'BIGINT', '_fault': 'VARCHAR', '_fault_detail': 'VARCHAR', '_text': 'VARCHAR'})
), token as (
  select *, case when _fault is null and json_valid(_text) and starts_with(ltrim(_text, ' ' || chr(9)), '{')
    then json_extract(_text, ${sqlTextList(record.fields.map((field) => jsonPointer(field.source)))}) end as _token
  from line
), typed as (
  select _object, _line, _fault, _fault_detail, _text, _token,
    ${record.fields.map((field) => `${typedSql(field, token(field.name))} as ${sqlName(field.name)}`).join(',\n    ')}
  from token
), judged as (
  select typed.*, epoch_ms(${eventTime}) as _event_ms, case
    when _fault is not null then _fault
    when _token is null or ${holdsNul} then 'bad_line'
    when ${eventTime} is null then 'bad_timestamp'
    when ${coordinates.map(isNull).join(' or ')} then 'null_coordinate'
    when ${longitude} is null or ${latitude} is null then 'bad_coordinate'
    when abs(${longitude}) > 180 or abs(${latitude}) > 90 then 'coordinate_out_of_range'
    when _event_ms < object._from_ms then 'too_late'
    when _event_ms >= object._to_ms then 'future'
  end as _reason
  from typed join object using (_object)
)
select _object, _line, ${POSITION_SQL} as _position, _reason,
  case when _reason is null then null when _fault is not null then _fault_detail else case _reason
    when 'bad_line' then case when _token is null then 'not a JSON object' else 'a text with U+0000' end
    when 'bad_timestamp' then ${shown(record.eventTime)}
    when 'too_late' then ${shown(record.eventTime)}
    when 'future' then ${shown(record.eventTime)}
    else ${coordinates.map(shown).join(" || ', ' || ")} end
  end as _detail,
  case when _reason is not null then left(coalesce(_text, ''), ${KEPT_RAW_BYTES}) end as _raw,
  ${record.fields.map((field) => sqlName(field.name)).join(', ')},
  case when _reason is null then (_event_ms // 86400000)::integer end as _day,
  case when _reason is null then ${keyFingerprintSql(spec)} end as _fingerprint
from judged`;
}

/** The fingerprint over typed columns, raw records' and storage files' alike. */
export function keyFingerprintSql(spec: PipelineSpec): string {
  const required = [spec.record.eventTime, spec.record.longitude, spec.record.latitude];
  return fingerprintSql(
    spec.record.fields
      .filter((field) => spec.dedup.key.includes(field.name))
      .sort((a, b) => spec.dedup.key.indexOf(a.name) - spec.dedup.key.indexOf(b.name))
      .map((field) => ({
        expression: sqlName(field.name),
        type: field.type,
        nullable: !required.includes(field.name),
      })),
  );
}

/** A field's value from its JSON token, null where the token is not of the type. */
export function typedSql(field: FieldSpec, token: string): string {
  // A cast alone would round 1.5 and take 1e3: the token must be the integer's own spelling.
  const integer = `case when try_cast(${token} as bigint)::varchar = ${token} then try_cast(${token} as bigint) end`;
  switch (field.type) {
    case 'timestamp-ms':
      return `case when (${integer}) between 0 and ${LATEST_EPOCH_MS} then make_timestamptz((${integer}) * 1000) end`;
    case 'double':
      return `case when isfinite(try_cast(${token} as double)) then try_cast(${token} as double) end`;
    case 'bigint':
      return integer;
    case 'boolean':
      return `case ${token} when 'true' then true when 'false' then false end`;
    case 'text':
      return `case when ${token} <> 'null' then json_extract_string(${token}, '$') end`;
    default:
      return field.type satisfies never;
  }
}

/** RFC 6901, so that dots, quotes and brackets in a name are only characters. */
function jsonPointer(source: string): string {
  return `/${source.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
