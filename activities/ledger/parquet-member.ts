import type { FieldSpec } from '../../domain/pipeline-spec';

/** A Parquet column's value as its member of the JSON object that the row stands for. */
export function memberSql(field: FieldSpec, column: string, type: string): string {
  if (field.type === 'timestamp-ms' && type.startsWith('TIMESTAMP')) {
    // An instant that DuckDB cannot count (infinity) is none. A fraction of a millisecond stays to be seen by the judge.
    const [count, perMs] = type === 'TIMESTAMP_NS' ? [`epoch_ns(${column})`, 1_000_000] : [`epoch_us(${column})`, 1_000];
    return `try(case when ${count} % ${perMs} = 0 then to_json(${count} // ${perMs}) else to_json(${count} / ${perMs}.0) end)`;
  }
  if (type === 'BLOB') return `coalesce(to_json(try(decode(${column}))), to_json(${column}))`;
  return column;
}
