import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { RAW_LIMITS } from '../../activities/ledger/line-splitter';
import { parquetRows } from '../../activities/ledger/parquet-rows';
import { RawLineFile } from '../../activities/ledger/raw-lines';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import { parquetOf } from '../dedup/support/parquet';

const ROWS = 500;
const signal = new AbortController().signal;
jest.setTimeout(180_000);

let dir: string;
const files: Buffer[] = [];
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meridian-parquet-'));
  const query = `select 1533128400000 + i as timestamp, i::double as longitude, 1::double as latitude, 'abc' || i as icao24,
    case when i % 3 = 0 then null else i::float end as groundspeed, 2 as altitude from range(${ROWS}) t(i)`;
  for (const options of ['compression snappy', 'compression zstd', 'compression uncompressed, parquet_version v2', 'compression gzip']) {
    files.push(await parquetOf(query, options));
  }
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Records that the product counts in an object of these bytes. */
async function recordsIn(bytes: Buffer): Promise<number> {
  const scratch = await mkdtemp(join(dir, 'run-'));
  await writeFile(join(scratch, 'raw'), bytes);
  const lines = await RawLineFile.create(join(scratch, 'lines'), RAW_LIMITS);
  try {
    const rows = parquetRows(join(scratch, 'raw'), mobileGeolocation.record.fields, {
      memoryMb: 256,
      limits: RAW_LIMITS,
      spillDir: join(scratch, 'spill'),
      signal,
    });
    return await lines.addRows(0, rows, signal);
  } finally {
    await lines.close();
  }
}

test('a Parquet file with any few bytes changed is read or quarantined whole, and never fails the chunk (S1.14, I1)', async () => {
  const place = fc.constantFrom('footer', 'first pages', 'anywhere');
  const change = fc.tuple(fc.nat(), fc.nat(255));
  await fc.assert(
    fc.asyncProperty(fc.nat(3), place, fc.array(change, { minLength: 1, maxLength: 4 }), async (which, where, changes) => {
      const bytes = Buffer.from(files[which] ?? '');
      const footerBytes = bytes.readUInt32LE(bytes.length - 8);
      const spans: Readonly<Record<string, readonly [from: number, length: number]>> = {
        footer: [bytes.length - 8 - footerBytes, footerBytes],
        'first pages': [4, 400],
      };
      const [from, length] = spans[where] ?? [0, bytes.length];
      for (const [at, byte] of changes) bytes[from + (at % length)] = byte;

      // A footer that decodes, and says another number of rows, cannot be told from a sound one (docs/decisions/0011).
      await expect(recordsIn(bytes)).resolves.toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 150, endOnFailure: true },
  );
});

test('a Parquet file that is cut anywhere is one unreadable object', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(3), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), async (which, share) => {
      const bytes = files[which] ?? Buffer.alloc(0);

      expect(await recordsIn(bytes.subarray(0, Math.floor(bytes.length * share)))).toBe(1);
    }),
    { numRuns: 40, endOnFailure: true },
  );
});

test('rows are numbered in the order of the file, whatever its row groups (X5)', async () => {
  const bytes = await parquetOf('select i as timestamp, i::double as longitude, 1::double as latitude from range(20000) t(i)', 'row_group_size 2048');
  await writeFile(join(dir, 'raw'), bytes);
  const options = { memoryMb: 256, limits: RAW_LIMITS, spillDir: join(dir, 'spill'), signal };
  const times: number[] = [];
  for await (const block of parquetRows(join(dir, 'raw'), mobileGeolocation.record.fields, options)) {
    for (const { text } of block) times.push((JSON.parse(text) as { readonly timestamp: number }).timestamp);
  }

  expect(times).toEqual(Array.from({ length: 20_000 }, (_, index) => index));
});
