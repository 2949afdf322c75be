import { FINGERPRINT_BYTES } from './fingerprint-sql';

/** As unsigned numbers of 64 bits: the first eight bytes of a fingerprint, and the last eight. */
const COLUMNS = ['high', 'low'] as const;
const HALF_BYTES = FINGERPRINT_BYTES / COLUMNS.length;

/**
 * A segment's bytes as Parquet of two required columns, `high` and `low` (INT64, UINT_64, PLAIN, one page each). PLAIN pages of such numbers
 * are the numbers end to end, least significant byte first: DuckDB compares them as they lie in the file, where making one of sixteen bytes
 * took two thirds of a compare (decision 0038). @see the Parquet format's specification, "Data Pages" and "Metadata"
 */
export function segmentAsParquet(segment: Uint8Array): Buffer {
  const count = segment.length / FINGERPRINT_BYTES;
  const header = pageHeader(count);
  const footer = footerOf(count, header.length + count * HALF_BYTES);
  const footerLength = Buffer.alloc(4);
  footerLength.writeUInt32LE(footer.length);
  return Buffer.concat([MAGIC, ...halvesOf(segment).flatMap((half) => [header, half]), footer, footerLength, MAGIC]);
}

/** Room for a segment twice, used again: memory outside the heap that is made for every segment costs a collection of all of it every 64 MB. */
let room = new Uint32Array(0);

/** The pages of the columns, every second half of the fingerprints; theirs until the next call. */
function halvesOf(segment: Uint8Array): readonly Buffer[] {
  const count = segment.length / Uint32Array.BYTES_PER_ELEMENT;
  if (room.length < 2 * count) room = new Uint32Array(2 * count);
  const words = room.subarray(0, count);
  const bytes = Buffer.from(words.buffer, 0, segment.length);
  bytes.set(segment);
  bytes.swap64();
  const wordsAHalf = HALF_BYTES / Uint32Array.BYTES_PER_ELEMENT;
  const pageWords = count / COLUMNS.length;
  return COLUMNS.map((_, column) => {
    const page = room.subarray(count + column * pageWords, count + (column + 1) * pageWords);
    for (let to = 0, from = column * wordsAHalf; to < pageWords; to += wordsAHalf, from += COLUMNS.length * wordsAHalf)
      for (let word = 0; word < wordsAHalf; word++) page[to + word] = words[from + word] ?? 0;
    return Buffer.from(page.buffer, page.byteOffset, page.byteLength);
  });
}

function pageHeader(count: number): Buffer {
  return thriftStruct([
    [1, i32(0)], // DATA_PAGE
    [2, i32(count * HALF_BYTES)],
    [3, i32(count * HALF_BYTES)],
    [
      5,
      struct([
        [1, i32(count)],
        [2, i32(PLAIN)],
        [3, i32(RLE)],
        [4, i32(RLE)],
      ]),
    ],
  ]);
}

/** @param pageBytes - with the page's header */
function footerOf(count: number, pageBytes: number): Buffer {
  return thriftStruct([
    [1, i32(1)],
    [
      2,
      listOfStructs([
        [
          [4, binary('schema')],
          [5, i32(COLUMNS.length)],
        ],
        ...COLUMNS.map(
          (name): Fields => [
            [1, i32(INT64)],
            [3, i32(REQUIRED)],
            [4, binary(name)],
            [6, i32(UINT_64)],
          ],
        ),
      ]),
    ],
    [3, i64(count)],
    [
      4,
      listOfStructs([
        [
          [1, listOfStructs(COLUMNS.map((name, column) => columnChunk(name, count, MAGIC.length + column * pageBytes, pageBytes)))],
          [2, i64(COLUMNS.length * pageBytes)],
          [3, i64(count)],
        ],
      ]),
    ],
  ]);
}

function columnChunk(name: string, count: number, offset: number, pageBytes: number): Fields {
  return [
    [2, i64(offset)],
    [
      3,
      struct([
        [1, i32(INT64)],
        [2, { type: LIST, bytes: Buffer.concat([Buffer.from([(1 << 4) | I32]), zigzag(PLAIN)]) }],
        [3, { type: LIST, bytes: Buffer.concat([Buffer.from([(1 << 4) | BINARY]), binary(name).bytes]) }],
        [4, i32(UNCOMPRESSED)],
        [5, i64(count)],
        [6, i64(pageBytes)],
        [7, i64(pageBytes)],
        [9, i64(offset)],
      ]),
    ],
  ];
}

const MAGIC = Buffer.from('PAR1');
const INT64 = 2;
const UINT_64 = 14;
const REQUIRED = 0;
const PLAIN = 0;
const RLE = 3;
const UNCOMPRESSED = 0;

/** Thrift's compact protocol, as far as these two structs need it. */
const I32 = 5;
const I64 = 6;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;

interface Value {
  readonly type: number;
  readonly bytes: Buffer;
}
type Fields = readonly (readonly [id: number, value: Value])[];

function thriftStruct(fields: Fields): Buffer {
  let lastId = 0;
  const parts = fields.map(([id, { type, bytes }]) => {
    const header = Buffer.from([((id - lastId) << 4) | type]);
    lastId = id;
    return Buffer.concat([header, bytes]);
  });
  return Buffer.concat([...parts, Buffer.from([0])]);
}

function struct(fields: Fields): Value {
  return { type: STRUCT, bytes: thriftStruct(fields) };
}

function listOfStructs(elements: readonly Fields[]): Value {
  return {
    type: LIST,
    bytes: Buffer.concat([Buffer.from([(elements.length << 4) | STRUCT]), ...elements.map(thriftStruct)]),
  };
}

function i32(value: number): Value {
  return { type: I32, bytes: zigzag(value) };
}

function i64(value: number): Value {
  return { type: I64, bytes: zigzag(value) };
}

function binary(text: string): Value {
  return { type: BINARY, bytes: Buffer.concat([varint(text.length), Buffer.from(text)]) };
}

/** Non-negative numbers only: nothing here is negative. */
function zigzag(value: number): Buffer {
  return varint(value * 2);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
