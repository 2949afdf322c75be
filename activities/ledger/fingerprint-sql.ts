import type { FieldType } from '../../domain/pipeline-spec';

/**
 * Fingerprint of a dedup key: MD5 over the key fields' bytes in declared order, its 16 bytes reversed (MD5 read as a
 * little-endian number, written big-endian). Engine-neutral: the bytes of a field are
 *
 * - `timestamp-ms`: epoch microseconds, signed 64-bit, big-endian
 * - `double`: IEEE 754 binary64, big-endian, with -0.0 as 0.0: equal values, equal bytes
 * - `bigint`: signed 64-bit, big-endian
 * - `boolean`: one byte, 0 or 1
 * - `text`: byte length as signed 64-bit big-endian, then UTF-8, so that neighbours cannot run into each other
 *
 * A key that is only timestamps and doubles of records that passed quarantine has no nulls and is just these bytes; every other
 * field is preceded by one byte, 1 for a value and 0 for null. Two keys have one fingerprint when they are equal or MD5
 * collides: some 10^-20 for 10^9 records a window, if nobody crafts them; and who crafts a record can repeat it plainly.
 */
export function fingerprintSql(
  fields: readonly { readonly expression: string; readonly type: FieldType; readonly nullable: boolean }[],
): string {
  const bytes = fields.map(({ expression, type, nullable }) => {
    const value = bytesSql(expression, type);
    return nullable ? `coalesce('\\x01'::blob || ${value}, '\\x00'::blob)` : value;
  });
  return `md5_number(${bytes.join(' || ')})`;
}

/** Casts through BIT are big-endian bytes as they stand: a third of the time of formatting as text. */
function bytesSql(expression: string, type: FieldType): string {
  switch (type) {
    case 'timestamp-ms':
      return `(epoch_us(${expression})::bit::blob)`;
    case 'double':
      return `((case when ${expression} = 0 then 0.0::double else ${expression} end)::bit::blob)`;
    case 'bigint':
      return `(${expression}::bit::blob)`;
    case 'boolean':
      return `((case ${expression} when true then '\\x01' when false then '\\x00' end)::blob)`;
    case 'text':
      return `(octet_length(encode(${expression}))::bigint::bit::blob || encode(${expression}))`;
    default:
      return type satisfies never;
  }
}

/** The sixteen bytes in a segment of the ledger are the number, big-endian. */
export const FINGERPRINT_BYTES = 16;
