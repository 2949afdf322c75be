import { FINGERPRINT_BYTES } from './fingerprint-sql';

/** A segment as a file, and where in it the fingerprints are. */
export interface SegmentFile {
  readonly bytes: Buffer;
  /** Part of `bytes`; begins at a multiple of 4 of its memory, so that words can be written. */
  readonly fingerprints: Buffer;
}

/**
 * A segment's file whose fingerprints are still to be filled in: Parquet of one required column `fingerprint` (FIXED_LEN_BYTE_ARRAY of 16,
 * PLAIN, one page). PLAIN pages of fixed-length values are the values end to end, so a segment becomes a file that DuckDB scans in parallel
 * without a value passing through JavaScript, and one piece of memory is both. @see the Parquet format's specification, "Data Pages" and "Metadata"
 */
export function segmentFileFor(count: number): SegmentFile {
  const sizeBytes = count * FINGERPRINT_BYTES;
  const head = Buffer.concat([MAGIC, pageHeader(count)]);
  const footer = footerOf(count, head.length - MAGIC.length + sizeBytes);
  const footerLength = Buffer.alloc(4);
  footerLength.writeUInt32LE(footer.length);
  const tail = Buffer.concat([footer, footerLength, MAGIC]);
  const unused = (4 - (head.length % 4)) % 4;
  const bytes = Buffer.allocUnsafeSlow(unused + head.length + sizeBytes + tail.length).subarray(unused);
  head.copy(bytes);
  tail.copy(bytes, head.length + sizeBytes);
  return { bytes, fingerprints: bytes.subarray(head.length, head.length + sizeBytes) };
}

/** A segment's bytes as such a file. */
export function segmentAsParquet(segment: Uint8Array): Buffer {
  const { bytes, fingerprints } = segmentFileFor(segment.length / FINGERPRINT_BYTES);
  fingerprints.set(segment);
  return bytes;
}

function pageHeader(count: number): Buffer {
  return thriftStruct([
    [1, i32(0)], // DATA_PAGE
    [2, i32(count * FINGERPRINT_BYTES)],
    [3, i32(count * FINGERPRINT_BYTES)],
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
  const chunkBytes = i64(pageBytes);
  return thriftStruct([
    [1, i32(1)],
    [
      2,
      listOfStructs([
        [
          [4, binary('schema')],
          [5, i32(1)],
        ],
        [
          [1, i32(FIXED_LEN_BYTE_ARRAY)],
          [2, i32(FINGERPRINT_BYTES)],
          [3, i32(REQUIRED)],
          [4, binary('fingerprint')],
        ],
      ]),
    ],
    [3, i64(count)],
    [
      4,
      listOfStructs([
        [
          [
            1,
            listOfStructs([
              [
                [2, i64(MAGIC.length)],
                [
                  3,
                  struct([
                    [1, i32(FIXED_LEN_BYTE_ARRAY)],
                    [2, { type: LIST, bytes: Buffer.concat([Buffer.from([(1 << 4) | I32]), zigzag(PLAIN)]) }],
                    [
                      3,
                      {
                        type: LIST,
                        bytes: Buffer.concat([Buffer.from([(1 << 4) | BINARY]), binary('fingerprint').bytes]),
                      },
                    ],
                    [4, i32(UNCOMPRESSED)],
                    [5, i64(count)],
                    [6, chunkBytes],
                    [7, chunkBytes],
                    [9, i64(MAGIC.length)],
                  ]),
                ],
              ],
            ]),
          ],
          [2, chunkBytes],
          [3, i64(count)],
        ],
      ]),
    ],
  ]);
}

const MAGIC = Buffer.from('PAR1');
const FIXED_LEN_BYTE_ARRAY = 7;
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
