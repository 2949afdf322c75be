import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import fc from 'fast-check';
import { ChunkDatabase } from '../../activities/ledger/chunk-database';
import { fingerprintHalvesSql } from '../../activities/ledger/fingerprint-sql';
import { keyFingerprintSql } from '../../activities/ledger/record-sql';
import { keepUnseen } from '../../activities/ledger/seen';
import { segmentAsParquet } from '../../activities/ledger/segment-file';
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

test.each([1, 2, 63, 64, 8_191, 8_192, 22_384])('a segment of %d fingerprints is a Parquet file with just these, in halves', async (count) => {
  const segment = randomBytes(count * 16);
  const path = join(dir, `${count}.parquet`);
  await writeFile(path, segmentAsParquet(segment));

  const reader = await db.runAndReadAll(`select high::varchar, low::varchar from (select *, file_row_number from read_parquet('${path}', file_row_number = true)) order by file_row_number`);

  const expected = Array.from({ length: count }, (_, index) => [segment.readBigUInt64BE(index * 16).toString(), segment.readBigUInt64BE(index * 16 + 8).toString()]);
  expect(reader.getRowsJson()).toEqual(expected);
});

test('the halves of any number of 128 bits are those that its bytes have, big-endian', async () => {
  const { high, low } = fingerprintHalvesSql('n');
  const sql = `select (${high})::varchar, (${low})::varchar from (select $1::varchar::uhugeint as n)`;
  await fc.assert(
    fc.asyncProperty(fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }), async (n) => {
      const bytes = Buffer.from(n.toString(16).padStart(32, '0'), 'hex');
      const reader = await db.runAndReadAll(sql, [n.toString()]);
      expect(reader.getRowsJson()).toEqual([[bytes.readBigUInt64BE(0).toString(), bytes.readBigUInt64BE(8).toString()]]);
    }),
    { examples: [[0n], [2n ** 64n - 1n], [2n ** 64n], [2n ** 127n], [2n ** 128n - 1n]] },
  );
});

test('what shares one half of its fingerprint with a stored record is new; only both halves make a repeat (I2)', async () => {
  const path = join(dir, 'stored.parquet');
  const stored = Buffer.alloc(16);
  stored.writeBigUInt64BE(7n, 0);
  stored.writeBigUInt64BE(9n, 8);
  await writeFile(path, segmentAsParquet(stored));
  const chunk = await ChunkDatabase.open({ spillDir: join(dir, 'spill'), memoryMb: 256, signal: new AbortController().signal });
  try {
    const of = (high: bigint, low: bigint) => `${(high << 64n) | low}`;
    const fingerprints = [of(7n, 9n), of(7n, 8n), of(8n, 9n), of(9n, 7n)];
    await chunk.run(`create table record as select n::uhugeint as _fingerprint, 0 as _day, row_number() over () as _position, null::varchar as _reason
      from unnest([${fingerprints.map((n) => `'${n}'`).join(', ')}]) t(n)`);

    await keepUnseen(chunk, [path]);

    expect(await chunk.rows('select _fingerprint::varchar from keep order by _position')).toEqual(fingerprints.slice(1).map((n) => [n]));
  } finally {
    chunk.close();
  }
});
