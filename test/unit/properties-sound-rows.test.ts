import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { eventWindowMs } from '../../activities/batches/arrival-hours';
import { ChunkDatabase } from '../../activities/ledger/chunk-database';
import { loadRecords } from '../../activities/ledger/chunk-input';
import { RAW_LIMITS } from '../../activities/ledger/line-splitter';
import { parquetRows, type SoundRows } from '../../activities/ledger/parquet-rows';
import { RawLineFile } from '../../activities/ledger/raw-lines';
import { addSoundRows, createSoundTable } from '../../activities/ledger/record-sql';
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

/** The table `record` of one object, every row by the judge, or the sound ones past it. */
async function recordsOf(bytes: Buffer, isSplit: boolean, limits = RAW_LIMITS, memoryMb = 256) {
  const scratch = await mkdtemp(join(dir, 'run-'));
  const [raw, lineFile] = ['raw', 'lines'].map((name) => join(scratch, name)) as [string, string];
  await writeFile(raw, bytes);
  const sound: { rows?: SoundRows | undefined } = {};
  const split = { spec: SPEC, window: eventWindowMs(SPEC, HOUR) };
  const lines = await RawLineFile.create(lineFile, limits);
  const options = { memoryMb, limits, spillDir: join(scratch, 'spill'), signal, ...(isSplit ? { split } : {}), onSound: (rows: SoundRows | undefined) => (sound.rows = rows) };
  const judged = await lines.addRows(0, parquetRows(raw, SPEC.record.fields, options), signal);
  await lines.close();
  const db = await ChunkDatabase.open({ spillDir: join(scratch, 'spill'), memoryMb: 256, signal });
  try {
    await db.run(createSoundTable(SPEC, 'sound_record'));
    if (sound.rows !== undefined) await db.run(addSoundRows(SPEC, 'sound_record', 0, sound.rows.query));
    await loadRecords(db, SPEC, [OBJECT], lineFile, limits);
    const count = sound.rows?.count ?? 0;
    return { sound: count, read: count + judged, records: await db.rows('select * from record order by _position') };
  } finally {
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
  let sound = 0;
  await fc.assert(
    fc.asyncProperty(file, async (columns) => {
      const present = Object.entries(columns).filter(([, { type }]) => type !== undefined);
      const rows = Array.from({ length: 12 }, (_, row) => `select ${present.map(([name, { type, values }]) => `(${values[row]})::${type} as ${name}`).join(', ')}`);
      const bytes = await parquetOf(rows.join(' union all '), 'row_group_size 2048');

      const [judged, split] = [await recordsOf(bytes, false), await recordsOf(bytes, true)];

      sound += split.sound;
      expect(split.read).toBe(judged.read);
      expect(split.records).toEqual(judged.records);
    }),
    { numRuns: 60, endOnFailure: true },
  );
  expect(sound).toBeGreaterThan(60); // else it was the judge against itself
});

test.each([
  ['a column that is called as the reader counts rows', `1 as FILE_ROW_NUMBER, ${T}::bigint as timestamp, 1::double as longitude, 2::double as latitude`],
  ['more rows than an object may have', `${T}::bigint as timestamp, 1::double as longitude, 2::double as latitude, repeat('x', 600) as icao24`],
])('%s: the whole object goes by the judge', async (_what, row) => {
  const limits = { ...RAW_LIMITS, maxObjectBytes: 3_000 };
  const bytes = await parquetOf(`select ${row}`);
  const [judged, split] = [await recordsOf(bytes, false, limits), await recordsOf(bytes, true, limits)];
  expect(split).toEqual({ ...judged, sound: 0 });
});
