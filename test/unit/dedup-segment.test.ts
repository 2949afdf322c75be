import { createHash } from 'node:crypto';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import fc from 'fast-check';
import { ChunkDatabase } from '../../activities/ledger/chunk-database';
import { rangesFor } from '../../activities/ledger/fingerprint-set';
import { keyFingerprintSql } from '../../activities/ledger/record-sql';
import { keepUnseen } from '../../activities/ledger/seen';
import { appendNumbers } from '../../activities/ledger/segment-file';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';

let instance: DuckDBInstance;
let db: DuckDBConnection;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meridian-segment-'));
  instance = await DuckDBInstance.create(':memory:');
  db = await instance.connect();
  await db.run("set TimeZone = 'UTC'");
});
afterAll(async () => {
  db.closeSync();
  instance.closeSync();
  await rm(dir, { recursive: true, force: true });
});

/** The fingerprint as it is documented, by node's MD5. */
function documented(epochMs: number, longitude: number, latitude: number, device?: string | null): string {
  const bytes = Buffer.alloc(24);
  bytes.writeBigInt64BE(BigInt(epochMs) * 1000n, 0);
  bytes.writeDoubleBE(longitude === 0 ? 0 : longitude, 8);
  bytes.writeDoubleBE(latitude === 0 ? 0 : latitude, 16);
  const text = device === undefined ? [] : device === null ? [Buffer.from([0])] : [Buffer.from([1]), lengthOf(device), Buffer.from(device)];
  return createHash('md5').update(Buffer.concat([bytes, ...text])).digest().reverse().toString('hex').toUpperCase();
}

function lengthOf(text: string): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigInt64BE(BigInt(Buffer.byteLength(text)));
  return length;
}

const epochMs = fc.integer({ min: 0, max: 253_402_300_799_999 });
const ordinate = fc.double({ min: -180, max: 180, noNaN: true });

test('the fingerprint is what its definition says, for any key (S2.12)', async () => {
  const sql = `select hex(${keyFingerprintSql(mobileGeolocation)}::bit::blob)
    from (select make_timestamptz($1::bigint) as event_time, $2::double as longitude, $3::double as latitude)`;
  await fc.assert(
    fc.asyncProperty(epochMs, ordinate, ordinate, async (ms, longitude, latitude) => {
      const reader = await db.runAndReadAll(sql, [BigInt(ms) * 1000n, longitude, latitude]);
      expect(reader.getRowsJson()).toEqual([[documented(ms, longitude, latitude)]]);
    }),
    { examples: [[0, -0, 0], [1, 5e-324, -5e-324]] },
  );
});

test('texts in a key keep their bounds, and null is no empty text', async () => {
  const spec: PipelineSpec = { ...mobileGeolocation, dedup: { ...mobileGeolocation.dedup, key: [...mobileGeolocation.dedup.key, 'device_id'] } };
  const sql = `select hex(${keyFingerprintSql(spec)}::bit::blob)
    from (select make_timestamptz(0) as event_time, 1.0::double as longitude, 2.0::double as latitude, $1::varchar as device_id)`;
  const found: unknown[] = [];
  for (const device of [null, '', 'a', 'é', '\0']) {
    const reader = await db.runAndReadAll(sql, [device]);
    expect(reader.getRowsJson()).toEqual([[documented(0, 1, 2, device)]]);
    found.push(reader.getRowsJson()[0]?.[0]);
  }
  expect(new Set(found).size).toBe(5);
});

/** As a segment has them. */
function segmentOf(fingerprints: readonly bigint[]): Buffer {
  return Buffer.concat(fingerprints.map((n) => Buffer.from(n.toString(16).padStart(32, '0'), 'hex')));
}

/** Of a chunk with these fingerprints, in this order, the places of those that are kept. */
async function keptOf(chunk: readonly bigint[], files: readonly string[], mostInMemory?: number): Promise<readonly number[]> {
  const database = await ChunkDatabase.open({ spillDir: join(dir, 'spill'), memoryMb: 256, signal: new AbortController().signal });
  try {
    await database.run(`create table record as select n::uhugeint as _fingerprint, 0 as _day, i as _position, null::varchar as _reason
      from (select unnest([${chunk.map((n) => `'${n}'`).join(', ')}]::varchar[]) as n, generate_subscripts([${chunk.map(() => 0).join(', ')}]::integer[], 1) - 1 as i)`);
    await keepUnseen(database, files, mostInMemory);
    return (await database.rows('select _position from keep order by _position')).map(([position]) => Number(position));
  } finally {
    database.close();
  }
}

/** Words that make equal beginnings, equal ends, and the bounds of ranges and buckets. */
const word = fc.oneof(fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff), fc.integer({ min: 0, max: 0xffffffff }));
const fingerprint = fc.tuple(word, word, word, word).map((words) => words.reduce((number, next) => (number << 32n) | BigInt(next), 0n));

test('kept are just those that no file has, of equal ones the first, however few are compared at once (I2)', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fingerprint, { minLength: 1, maxLength: 60 }).chain((all) =>
        fc.record({ chunk: fc.array(fc.constantFrom(...all), { minLength: 1, maxLength: 80 }), stored: fc.array(fc.subarray([...all].sort((a, b) => (a < b ? -1 : 1))), { maxLength: 6 }) }),
      ),
      fc.constantFrom(1, 3, 20, undefined),
      async ({ chunk, stored }, mostInMemory) => {
        const files = stored.map((_, index) => join(dir, `any-${index}`));
        for (const [index, segment] of stored.entries()) await writeFile(files[index] ?? '', segmentOf(segment));
        const expected = chunk.flatMap((n, index) => (chunk.indexOf(n) === index && !stored.flat().includes(n) ? [index] : []));
        expect(await keptOf(chunk, files, mostInMemory)).toEqual(expected);
      },
    ),
    { numRuns: 60, endOnFailure: true },
  );
});

test('what shares three words of its fingerprint with a stored record is new; only all four make a repeat (I2)', async () => {
  const of = (...words: readonly bigint[]) => words.reduce((number, next) => (number << 32n) | next, 0n);
  const path = join(dir, 'stored');
  await writeFile(path, segmentOf([of(7n, 8n, 9n, 10n)]));

  const chunk = [of(7n, 8n, 9n, 10n), of(6n, 8n, 9n, 10n), of(7n, 7n, 9n, 10n), of(7n, 8n, 8n, 10n), of(7n, 8n, 9n, 9n), of(10n, 9n, 8n, 7n)];
  expect(await keptOf(chunk, [path])).toEqual([1, 2, 3, 4, 5]);
});

test('a chunk of more records than are compared at once, against files of many blocks', async () => {
  const numberOf = (index: number) => BigInt(`0x${createHash('md5').update(String(index)).digest('hex')}`);
  const [inChunk, stored] = [Array.from({ length: 3_000 }, (_, index) => numberOf(index)), Array.from({ length: 70_000 }, (_, index) => numberOf(index + 2_000))];
  const path = join(dir, 'blocks');
  await writeFile(path, segmentOf(stored));

  expect(await keptOf(inChunk, [path], 500)).toEqual(Array.from({ length: 2_000 }, (_, index) => index));
});

test('ranges are as many as their limit asks for, and leave out no fingerprint', () => {
  expect(rangesFor(0)).toEqual([{ firstWord: 0, bits: 32 }]);
  expect(rangesFor(4_194_304)).toHaveLength(1);
  expect(rangesFor(4_194_305)).toHaveLength(2);
  const ranges = rangesFor(64_000_000);
  expect(ranges).toHaveLength(16);
  expect(ranges.map(({ firstWord, bits }) => [firstWord, firstWord + 2 ** bits]).flat()).toEqual(ranges.flatMap((_, index) => [index * 2 ** 28, (index + 1) * 2 ** 28]));
});

test('a file that ends within a fingerprint is refused by its name', async () => {
  const path = join(dir, 'cut');
  await writeFile(path, Buffer.alloc(40));
  await expect(keptOf([1n], [path])).rejects.toThrow(`File ${path} of the worker's cache ends within a fingerprint`);
});

test('a file that is made from numbers is as the ledger has a segment', async () => {
  const path = join(dir, 'written');
  const chunk = await ChunkDatabase.open({ spillDir: join(dir, 'spill'), memoryMb: 256, signal: new AbortController().signal });
  const file = await open(path, 'w');
  const numbers = Array.from({ length: 5_000 }, (_, index) => (BigInt(index) << 96n) | (7n << 64n) | (8n << 32n) | BigInt(index));
  try {
    await chunk.run(`create table n as select unnest([${numbers.map((n) => `'${n}'`).join(', ')}])::uhugeint as n`);
    await appendNumbers(file, chunk.numbers('select n from n order by n'));
  } finally {
    await file.close();
    chunk.close();
  }
  expect(await readFile(path)).toEqual(segmentOf(numbers));
});
