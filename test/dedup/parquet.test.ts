import { BrokenChunkDatabase, ParquetObjects } from '../../activities/ledger/parquet-objects';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { type Deps, type LedgerStack, startLedgerStack } from './support/ledger-stack';
import { keysIn, lines, nightEnding, putRaw, rawKey, readParquet, runNight, SPEC, storedRecords } from './support/nights';
import { parquetOf } from './support/parquet';
import { quarantineRows } from './support/quarantine';

const PARQUET: PipelineSpec = { ...SPEC, raw: { ...SPEC.raw, format: 'parquet' } };
const night = nightEnding('2018-08-02');
const HOUR = '2018-08-01T13';
const T = Date.parse('2018-08-01T13:30:00Z');

let stack: LedgerStack;
let deps: Deps;
beforeAll(async () => {
  stack = await startLedgerStack();
});
afterAll(() => stack.stop());
beforeEach(async () => {
  deps = await stack.fresh();
});

const COLUMNS = "timestamp, longitude, latitude, icao24, groundspeed, altitude";
const GOOD_ROW = `(${T}::bigint, 8.5::double, 47.4::double, 'abc', 12.5::float, 0::integer)`;

test('rows of a Parquet object are stored with their declared types, numbered from 1, and known again as JSON lines (S1.14, X5)', async () => {
  const body = await parquetOf(`select * from (values ${GOOD_ROW}, (${T + 1}, 9, 47, null, null, null)) t(${COLUMNS})`, 'row_group_size 2048');
  await putRaw(deps, rawKey(HOUR, 'a.parquet'), body);
  expect((await runNight(deps, night, { spec: PARQUET })).counts).toEqual({ read: 2, stored: 2, duplicates: 0, quarantined: {} });
  expect((await storedRecords(deps)).map(({ rawLine, epochMs, longitude }) => [rawLine, epochMs, longitude])).toEqual([
    [1, T, 8.5],
    [2, T + 1, 9],
  ]);
  expect(await readParquet(deps, await keysIn(deps, 'storage'), 'device_id, speed, altitude')).toEqual([
    ['abc', 12.5, 0],
    [null, null, null],
  ]);

  await putRaw(deps, rawKey('2018-08-02T01', 'b.json.gz'), lines([{ timestamp: T, longitude: 8.5, latitude: 47.4 }]));
  expect((await runNight(deps, nightEnding('2018-08-03'))).counts).toMatchObject({ duplicates: 1, stored: 0 });
});

/** The same values as Parquet columns and as a JSON line: one judge, so one verdict. */
const SAME: readonly (readonly [what: string, row: string, line: string])[] = [
  ['sound', `${T}::bigint as timestamp, 1.5::double as longitude, 2::double as latitude`, `{"timestamp":${T},"longitude":1.5,"latitude":2.0}`],
  ['no event time', `null::bigint as timestamp, 1.5::double as longitude, 2::double as latitude`, '{"timestamp":null,"longitude":1.5,"latitude":2.0}'],
  ['no such column', `1.5::double as longitude, 2::double as latitude`, '{"longitude":1.5,"latitude":2.0}'],
  ['a time as text', `'${T}' as timestamp, 1.5::double as longitude, 2::double as latitude`, `{"timestamp":"${T}","longitude":1.5,"latitude":2.0}`],
  ['a time as double', `${T}::double as timestamp, 1.5::double as longitude, 2::double as latitude`, `{"timestamp":${T}.0,"longitude":1.5,"latitude":2.0}`],
  ['seconds', `${T / 1000}::integer as timestamp, 1.5::double as longitude, 2::double as latitude`, `{"timestamp":${T / 1000},"longitude":1.5,"latitude":2.0}`],
  ['null longitude', `${T}::bigint as timestamp, null::double as longitude, 2::double as latitude`, `{"timestamp":${T},"longitude":null,"latitude":2.0}`],
  ['text latitude', `${T}::bigint as timestamp, 1.5::double as longitude, '2' as latitude`, `{"timestamp":${T},"longitude":1.5,"latitude":"2"}`],
  ['NaN', `${T}::bigint as timestamp, 'nan'::double as longitude, 2::double as latitude`, `{"timestamp":${T},"longitude":NaN,"latitude":2.0}`],
  ['infinite', `${T}::bigint as timestamp, 1.5::double as longitude, '-inf'::float as latitude`, `{"timestamp":${T},"longitude":1.5,"latitude":-Infinity}`],
  ['a list', `${T}::bigint as timestamp, [1.5] as longitude, 2::double as latitude`, `{"timestamp":${T},"longitude":[1.5],"latitude":2.0}`],
  ['a struct', `${T}::bigint as timestamp, {'deg': 1.5} as longitude, 2::double as latitude`, `{"timestamp":${T},"longitude":{"deg":1.5},"latitude":2.0}`],
  ['a boolean', `${T}::bigint as timestamp, true as longitude, 2::double as latitude`, `{"timestamp":${T},"longitude":true,"latitude":2.0}`],
  ['out of range', `${T}::bigint as timestamp, 180.5::double as longitude, 2::double as latitude`, `{"timestamp":${T},"longitude":180.5,"latitude":2.0}`],
  ['NUL in a text', `${T}::bigint as timestamp, 1.5::double as longitude, 2::double as latitude, 'a' || chr(0) as icao24`, `{"timestamp":${T},"longitude":1.5,"latitude":2.0,"icao24":"a\\u0000"}`],
  ['another case', `${T}::bigint as "Timestamp", 1.5::double as longitude, 2::double as latitude`, `{"Timestamp":${T},"longitude":1.5,"latitude":2.0}`],
];

test.each(SAME)('%s: a Parquet row gets the verdict and the detail of the JSON line that says the same (S2.36, I1)', async (_what, row, line) => {
  await putRaw(deps, rawKey(HOUR, 'a'), await parquetOf(`select ${row}`));
  const asRow = (await runNight(deps, night, { spec: PARQUET })).counts;
  const rowDetails = (await quarantineRows(deps)).map(({ reason, detail, line: at }) => [reason, detail, at]);
  deps = await stack.fresh();
  await putRaw(deps, rawKey(HOUR, 'a'), line);
  const asLine = (await runNight(deps, night)).counts;

  expect(asRow).toEqual(asLine);
  expect(rowDetails).toEqual((await quarantineRows(deps)).map(({ reason, detail, line: at }) => [reason, detail, at]));
});

test.each([
  ['milliseconds', `timestamp_ms '2018-08-01 13:30:00.123'`],
  ['microseconds with a zone', `timestamptz '2018-08-01 13:30:00.123Z'`],
  ['nanoseconds', `timestamp_ns '2018-08-01 13:30:00.123'`],
])('a timestamp column in %s is the instant that it says', async (_what, value) => {
  await putRaw(deps, rawKey(HOUR, 'a'), await parquetOf(`select ${value} as timestamp, 1::double as longitude, 2::double as latitude`));
  await runNight(deps, night, { spec: PARQUET });
  expect((await storedRecords(deps)).map(({ epochMs }) => epochMs)).toEqual([T + 123]);
});

test('a text column without annotation is text where it is UTF-8, and a bad row of its own where it is not', async () => {
  const body = await parquetOf(
    `select ${T} + i as timestamp, 1::double as longitude, 2::double as latitude, [encode('Zürich'), '\\xff'::blob][i + 1] as icao24 from range(2) t(i)`,
  );
  await putRaw(deps, rawKey(HOUR, 'a'), body);
  expect((await runNight(deps, night, { spec: PARQUET })).counts).toEqual({ read: 2, stored: 1, duplicates: 0, quarantined: { bad_line: 1 } });
  expect(await readParquet(deps, await keysIn(deps, 'storage'), 'device_id')).toEqual([['Zürich']]);
  expect(await quarantineRows(deps)).toEqual([expect.objectContaining({ line: 2, detail: 'not UTF-8' })]);
});

test('an unreadable Parquet object is quarantined whole with its detail, and the neighbours proceed (S1.14)', async () => {
  const good = await parquetOf(`select * from (values ${GOOD_ROW}) t(${COLUMNS})`);
  const at = (longitude: number) => parquetOf(`select ${T} as timestamp, ${longitude}::double as longitude, 1::double as latitude`);
  await putRaw(deps, rawKey(HOUR, 'a'), await at(1));
  await putRaw(deps, rawKey(HOUR, 'b'), good.subarray(0, -20));
  await putRaw(deps, rawKey(HOUR, 'c'), await at(2));

  const { counts } = await runNight(deps, night, { spec: PARQUET });

  expect(counts).toEqual({ read: 3, stored: 2, duplicates: 0, quarantined: { unreadable_object: 1 } });
  expect(await quarantineRows(deps)).toEqual([
    expect.objectContaining({
      object: rawKey(HOUR, 'b'),
      line: 0,
      raw: '',
      detail: "no readable Parquet: Invalid Input Error: No magic bytes found at end of file 'the object'",
    }),
  ]);
});

test('a chunk whose database an object breaks is read again with each object in a database of its own, and comes to the same (S1.14, I1)', async () => {
  const at = (longitude: number) => parquetOf(`select ${T} as timestamp, ${longitude}::double as longitude, 1::double as latitude`);
  for (const [index, key] of ['a', 'b', 'c'].entries()) await putRaw(deps, rawKey(HOUR, key), await at(index));
  // No file is known that breaks this DuckDB: what follows from one is brought about by hand.
  const flush = jest.spyOn(ParquetObjects.prototype, 'flush').mockRejectedValueOnce(new BrokenChunkDatabase('An object broke it'));

  const { counts } = await runNight(deps, night, { spec: PARQUET });

  expect(counts).toEqual({ read: 3, stored: 3, duplicates: 0, quarantined: {} });
  expect((await storedRecords(deps)).map(({ longitude }) => longitude).sort()).toEqual([0, 1, 2]);
  expect(flush).toHaveBeenCalledTimes(2);
  flush.mockRestore();
});

test('rows without end in a small file are a bomb, as a gzip is', async () => {
  const bomb = await parquetOf(`select ${T} as timestamp, 1::double as longitude, 2::double as latitude from range(2000000)`, 'compression zstd');
  await putRaw(deps, rawKey(HOUR, 'a'), bomb);
  const small = { ...deps, rawLimits: { maxLineBytes: 1024 ** 2, maxObjectBytes: 1024 ** 2 } };
  expect((await runNight(small, night, { spec: PARQUET })).counts).toEqual({ read: 1, stored: 0, duplicates: 0, quarantined: { unreadable_object: 1 } });
});
