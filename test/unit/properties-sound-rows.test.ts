import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { ChunkDatabase } from '../../activities/ledger/chunk-database';
import { loadRecords } from '../../activities/ledger/chunk-input';
import { RAW_LIMITS } from '../../activities/ledger/line-splitter';
import { BrokenChunkDatabase, type LocalObject, ParquetObjects } from '../../activities/ledger/parquet-objects';
import { parquetRows } from '../../activities/ledger/parquet-rows';
import { RawLineFile } from '../../activities/ledger/raw-lines';
import { createSoundTable } from '../../activities/ledger/record-sql';
import type { RawObject } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import { parquetOf } from '../dedup/support/parquet';

const HOUR = '2018-08-01T13:00:00Z';
const T = Date.parse(HOUR);
const DAY_MS = 86_400_000;
/** With a field of every type, and two that read the same source. */
const SPEC: PipelineSpec = {
  ...mobileGeolocation,
  raw: { ...mobileGeolocation.raw, format: 'parquet' },
  record: {
    ...mobileGeolocation.record,
    fields: [
      ...mobileGeolocation.record.fields,
      { name: 'squawk', source: 'squawk', type: 'bigint' },
      { name: 'on_ground', source: 'onground', type: 'boolean' },
      { name: 'height', source: 'altitude', type: 'text' },
    ],
  },
  dedup: { ...mobileGeolocation.dedup, key: ['event_time', 'device_id', 'longitude', 'latitude', 'squawk', 'on_ground'] },
};
const OBJECT: RawObject = { key: 'a.parquet', versionId: 'v', etag: '"e"', sizeBytes: 1, arrivalHour: HOUR };
const signal = new AbortController().signal;
jest.setTimeout(180_000);

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'meridian-sound-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Every row by the judge, or the sound ones past it: after the object has been read whole elsewhere, or straight into the table. */
type Way = 'judge' | 'careful' | 'quick';

/** The table `record` of objects. `databases`, how many the objects had of their own. */
async function recordsOf(bodies: readonly Buffer[], way: Way, limits = RAW_LIMITS) {
  const scratch = await mkdtemp(join(dir, 'run-'));
  const lineFile = join(scratch, 'lines');
  const lines = await RawLineFile.create(lineFile, limits);
  const db = await ChunkDatabase.open({ spillDir: join(scratch, 'spill'), memoryMb: 256, signal });
  const opened = jest.spyOn(ChunkDatabase, 'open');
  try {
    await db.run(createSoundTable(SPEC, 'sound_record'));
    const read: number[] = [];
    const onAdded = async ({ index }: LocalObject, records: number) => void (read[index] = records);
    const parquet = new ParquetObjects({ db, lines, spec: SPEC, dir: scratch, limits, memoryMb: 256, signal, isCareful: way === 'careful', onAdded });
    for (const [index, bytes] of bodies.entries()) {
      const path = join(scratch, `raw-${index}`);
      await writeFile(path, bytes);
      if (way !== 'judge') await parquet.add({ object: OBJECT, index, path });
      else read[index] = await lines.addRows(index, parquetRows(path, SPEC.record.fields, { memoryMb: 256, limits, spillDir: join(scratch, 'spill'), signal }), signal);
    }
    await parquet.flush();
    await lines.close();
    const databases = opened.mock.calls.length;
    await loadRecords(db, SPEC, bodies.map(() => OBJECT), lineFile, limits);
    const [[sound] = []] = await db.rows('select count(*) from sound_record');
    return { sound: Number(sound), databases, read, records: await db.rows('select * from record order by _position') };
  } finally {
    opened.mockRestore();
    db.close();
  }
}

type Values = Readonly<Record<string, readonly string[]>>;
const TIMES: Values = {
  bigint: [`${T}`, `${T + 1}`, '-1', '0', 'null', `${T - 4 * DAY_MS}`, `${T + DAY_MS}`, '253402300800000', '9223372036854775807'],
  integer: ['1533128', '-5', 'null'],
  uinteger: ['4294967295', '0'],
  double: [`${T}`, `${T}.5`, "'nan'"],
  timestamp: [`make_timestamp(${T}000)`, `make_timestamp(${T}001)`, "'infinity'", 'null', "'9999-12-31 23:59:59.999'"],
  timestamptz: [`make_timestamptz(${T}000)`, `make_timestamptz(${T - DAY_MS}000)`],
  timestamp_ns: [`make_timestamp_ns(${T}000000)`, `make_timestamp_ns(${T}000001)`],
  varchar: [`'${T}'`, "''"],
};
const NUMBERS: Values = {
  double: ['0', '-0.0', '8.5', '179.99999999999997', '180', '180.00000000000003', '-90', '90.5', "'nan'", "'-inf'", 'null', '0.1', '1e-300', '5e-324', '1.7976931348623157e308'],
  float: ['8.1', '0.1', '16777217', "'inf'", 'null', '1e-40', '3.4028235e38'],
  integer: ['8', '-180', '181', 'null'],
  bigint: ['9007199254740993', '-9223372036854775808', '45'],
  'decimal(18,3)': ['8.125', '-90.000', '0.100'],
  varchar: ["'8.5'", "'x'"],
  boolean: ['true', 'null'],
};
const TEXTS: Values = {
  varchar: ["'abc'", "''", 'null', "'null'", "'\"quoted\" \\ and ''single'''", "'a' || chr(0) || 'b'", "'a' || chr(31) || chr(10)", "'Zürich 🛩'", "repeat('x', 3000)", "chr(127) || chr(8232)"],
  integer: ['7', 'null'],
  double: ['1.5', '1e21'],
  boolean: ['false'],
  blob: ["'\\xff'::blob", "encode('Zürich')"],
  'integer[]': ['[1, 2]', 'null'],
  'struct(a integer)': ["{'a': 1}"],
};
const INTEGERS: Values = {
  bigint: ['7', '9223372036854775807', '-9223372036854775808', 'null'],
  ubigint: ['18446744073709551615', '5'],
  hugeint: ['170141183460469231731687303715884105727', '5'],
  smallint: ['-7'],
  double: ['7', '7.5'],
  varchar: ["'7'", "'007'"],
};
const BOOLEANS: Values = { boolean: ['true', 'false', 'null'], varchar: ["'true'", "'yes'"], integer: ['1'] };

/** The first one stands for what is usual. */
const valueOf = ([usual = '', ...rest]: readonly string[]) => fc.oneof({ weight: 2, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(usual, ...rest) });
/** Mostly columns of the declared type: else hardly a row would be sound. */
const columnOf = (values: Values, usual: string) =>
  fc
    .oneof({ weight: 3, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(...Object.keys(values)) }, { weight: 1, arbitrary: fc.constant(undefined) })
    .chain((type) => fc.record({ type: fc.constant(type), values: fc.array(valueOf(values[type ?? usual] ?? []), { minLength: 12, maxLength: 12 }) }));
const always = (values: Values, usual: string) => columnOf(values, usual).map(({ type, values: chosen }) => ({ type: type ?? usual, values: chosen }));
const file = fc.record({
  timestamp: always(TIMES, 'bigint'),
  longitude: always(NUMBERS, 'double'),
  latitude: always(NUMBERS, 'double'),
  icao24: columnOf(TEXTS, 'varchar'),
  groundspeed: columnOf(NUMBERS, 'double'),
  altitude: columnOf(NUMBERS, 'double'),
  squawk: columnOf(INTEGERS, 'bigint'),
  onground: columnOf(BOOLEANS, 'boolean'),
});

test('rows that pass the judge by come to the very records that the judge makes of them, verdicts, lines and fingerprints (S2.36, X5, I1)', async () => {
  const sound = { careful: 0, quick: 0 };
  await fc.assert(
    fc.asyncProperty(file, async (columns) => {
      const present = Object.entries(columns).filter(([, { type }]) => type !== undefined);
      const rows = Array.from({ length: 12 }, (_, row) => `select ${present.map(([name, { type, values }]) => `(${values[row]})::${type} as ${name}`).join(', ')}`);
      const bytes = await parquetOf(rows.join(' union all '), 'row_group_size 2048');

      const [judged, careful, quick] = [await recordsOf([bytes], 'judge'), await recordsOf([bytes], 'careful'), await recordsOf([bytes], 'quick')];

      sound.careful += careful.sound;
      sound.quick += quick.sound;
      for (const way of [careful, quick]) {
        expect(way.read).toEqual(judged.read);
        expect(way.records).toEqual(judged.records);
      }
    }),
    { numRuns: 60, endOnFailure: true },
  );
  expect(Math.min(sound.careful, sound.quick)).toBeGreaterThan(60); // else it was the judge against itself
});

const ROW = `${T}::bigint as timestamp, 1::double as longitude, 2::double as latitude`;

test.each([
  ['a column that is called as the reader counts rows', `1 as FILE_ROW_NUMBER, ${ROW}`],
  ['more rows than an object may have', `${ROW}, repeat('x', 600) as icao24`],
])('%s: the whole object goes by the judge', async (_what, row) => {
  const limits = { ...RAW_LIMITS, maxObjectBytes: 3_000 };
  const bytes = await parquetOf(`select ${row}`);
  const [judged, careful, quick] = [await recordsOf([bytes], 'judge', limits), await recordsOf([bytes], 'careful', limits), await recordsOf([bytes], 'quick', limits)];
  expect(careful).toEqual({ ...judged, sound: 0 });
  expect(quick).toEqual({ ...judged, sound: 0 });
});

test('objects are read together into the table, those among them that cannot be go the careful way, and every record is that of the judge (S1.14, I1)', async () => {
  const sound = (latitude: number) => parquetOf(`select ${T} + i as timestamp, 1::double as longitude, ${latitude}::double as latitude from range(100) t(i)`);
  const bad = await parquetOf(`select ${T} + i as timestamp, 1::double as longitude, case when i % 3 = 0 then 91 else 3 end::double as latitude from range(100) t(i)`);
  const long = await parquetOf(`select ${ROW}, repeat('x', 300) as icao24`);
  const cut = (await sound(4)).subarray(0, -20);
  const rotten = Buffer.from(await sound(5));
  rotten.fill(0xff, 4, 60); // its pages' heads, so that the footer is sound
  const own = await parquetOf(`select 7 as file_index, ${ROW}`);

  const all = [await sound(1), await sound(2), bad, cut, rotten, await sound(6), long, own];
  const [judged, quick] = [await recordsOf(all, 'judge'), await recordsOf(all, 'quick')];

  expect(quick.read).toEqual(judged.read);
  expect(quick.records).toEqual(judged.records);
  expect(quick.read).toEqual([100, 100, 100, 1, 1, 100, 1, 1]);

  const none = await recordsOf([await sound(1), await sound(2)], 'quick');
  expect(none).toMatchObject({ databases: 0, sound: 200 });
});

test('an object that breaks DuckDB breaks the quick way alone, and says so', async () => {
  const scratch = await mkdtemp(join(dir, 'run-'));
  const db = await ChunkDatabase.open({ spillDir: join(scratch, 'spill'), memoryMb: 256, signal });
  const lines = await RawLineFile.create(join(scratch, 'lines'), RAW_LIMITS);
  await db.run(createSoundTable(SPEC, 'sound_record'));
  const parquet = new ParquetObjects({ db, lines, spec: SPEC, dir: scratch, limits: RAW_LIMITS, memoryMb: 256, signal, isCareful: false, onAdded: async () => undefined });
  await writeFile(join(scratch, 'raw-0'), await parquetOf(`select ${ROW}`));

  await parquet.add({ object: OBJECT, index: 0, path: join(scratch, 'raw-0') });
  db.close(); // as an internal failure does, which no object is known to bring about

  await expect(parquet.flush()).rejects.toThrow(BrokenChunkDatabase);
  await lines.close();
});
