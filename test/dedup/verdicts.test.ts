import { gunzipSync, gzipSync } from 'node:zlib';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { QUARANTINE_REASONS, type ChunkDocument } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { type Deps, type LedgerStack, startLedgerStack } from './support/ledger-stack';
import { lines, nightEnding, putRaw, rawKey, readParquet, runNight, SPEC, storedRecords } from './support/nights';

let stack: LedgerStack;
let deps: Deps;
beforeAll(async () => {
  stack = await startLedgerStack();
});
afterAll(() => stack.stop());
beforeEach(async () => {
  deps = await stack.fresh();
});

const night = nightEnding('2018-08-02');
const HOUR = '2018-08-01T13';
const at = (text: string) => Date.parse(text);
const good = { timestamp: at('2018-08-01T13:30:00Z'), longitude: 8.5, latitude: 47.4 };

interface QuarantineRow {
  readonly reason: string;
  readonly detail: string;
  readonly object: string;
  readonly version: string;
  readonly line: number;
  readonly raw: string;
}

async function quarantineRows(): Promise<readonly QuarantineRow[]> {
  const { Contents = [] } = await deps.s3.send(new ListObjectsV2Command({ Bucket: deps.buckets.quarantine }));
  const rows: QuarantineRow[] = [];
  for (const { Key } of Contents) {
    const { Body } = await deps.s3.send(new GetObjectCommand({ Bucket: deps.buckets.quarantine, Key }));
    const text = gunzipSync((await Body?.transformToByteArray()) ?? '').toString();
    rows.push(...text.split('\n').filter(Boolean).map((line) => JSON.parse(line) as QuarantineRow));
  }
  return rows;
}

const JSON_CASES: readonly (readonly [line: string, reason: string, detail: string])[] = [
  ['not json', 'bad_line', 'not a JSON object'],
  ['[1, 2]', 'bad_line', 'not a JSON object'],
  ['"text"', 'bad_line', 'not a JSON object'],
  ['null', 'bad_line', 'not a JSON object'],
  ['{"timestamp": 1} trailing', 'bad_line', 'not a JSON object'],
  [`${JSON.stringify(good)}${JSON.stringify(good)}`, 'bad_line', 'not a JSON object'],
  [JSON.stringify({ ...good, icao24: 'a\0b' }), 'bad_line', 'a text with U+0000'],
  ['{"icao24": "\\ud800"}', 'bad_line', 'not a JSON object'],
  [JSON.stringify({ ...good, timestamp: undefined }), 'bad_timestamp', 'event_time is missing'],
  [JSON.stringify({ ...good, timestamp: null }), 'bad_timestamp', 'event_time is null'],
  [JSON.stringify({ ...good, timestamp: '1533130200000' }), 'bad_timestamp', 'event_time is "1533130200000"'],
  [JSON.stringify({ ...good, timestamp: good.timestamp + 0.5 }), 'bad_timestamp', 'event_time is 1533130200000.5'],
  [JSON.stringify(good).replace('1533130200000', '15331302e5'), 'bad_timestamp', 'event_time is'],
  [JSON.stringify({ ...good, timestamp: -1 }), 'bad_timestamp', 'event_time is -1'],
  [JSON.stringify({ ...good, timestamp: 253_402_300_800_000 }), 'bad_timestamp', 'event_time is 253402300800000'],
  [JSON.stringify(good).replace('1533130200000', '99999999999999999999999'), 'bad_timestamp', 'event_time is 99999999999999999999999'],
  [JSON.stringify(good).replace('1533130200000', 'NaN'), 'bad_timestamp', 'event_time is NaN'],
  [JSON.stringify({ ...good, timestamp: true }), 'bad_timestamp', 'event_time is true'],
  // Before the coordinates: the first reason in the declared order counts.
  [JSON.stringify({ ...good, timestamp: 'x', longitude: null }), 'bad_timestamp', 'event_time is "x"'],
  [JSON.stringify({ ...good, longitude: null }), 'null_coordinate', 'longitude is null, latitude is 47.4'],
  [JSON.stringify({ ...good, latitude: undefined }), 'null_coordinate', 'longitude is 8.5, latitude is missing'],
  [JSON.stringify({ ...good, latitude: null, longitude: 'x' }), 'null_coordinate', 'latitude is null'],
  [JSON.stringify({ ...good, latitude: '47.4' }), 'bad_coordinate', 'latitude is "47.4"'],
  [JSON.stringify({ ...good, latitude: true }), 'bad_coordinate', 'latitude is true'],
  [JSON.stringify({ ...good, latitude: [47] }), 'bad_coordinate', 'latitude is [47]'],
  [JSON.stringify(good).replace('47.4', 'NaN'), 'bad_coordinate', 'latitude is NaN'],
  [JSON.stringify(good).replace('47.4', '-Infinity'), 'bad_coordinate', 'latitude is -Infinity'],
  [JSON.stringify(good).replace('47.4', '1e999'), 'bad_coordinate', 'latitude is 1e999'],
  [JSON.stringify({ ...good, latitude: 90.0000001 }), 'coordinate_out_of_range', 'latitude is 90.0000001'],
  [JSON.stringify({ ...good, longitude: -180.5 }), 'coordinate_out_of_range', 'longitude is -180.5'],
  [JSON.stringify({ ...good, timestamp: at('2018-07-29T12:59:59.999Z') }), 'too_late', 'event_time is 1532869199999'],
  [JSON.stringify({ ...good, timestamp: 1_533_130_200 }), 'too_late', 'event_time is 1533130200'],
  [JSON.stringify({ ...good, timestamp: at('2018-08-01T14:10:00Z') }), 'future', 'event_time is 1533132600000'],
];

test('each bad record goes to quarantine with its reason, detail, object, version and line (S2.36, S0.14, X5)', async () => {
  const key = rawKey(HOUR, "odd 'name'\n%2F.json.gz");
  const versionId = await putRaw(deps, key, gzipSync(JSON_CASES.map(([line]) => `${line}\n`).join('')));

  const { counts } = await runNight(deps, night);

  const rows = await quarantineRows();
  expect(rows.map(({ reason, line }) => [line, reason])).toEqual(JSON_CASES.map(([, reason], index) => [index + 1, reason]));
  rows.forEach((row, index) => {
    const [raw, , detail] = JSON_CASES[index] ?? ['', '', ''];
    expect(row).toMatchObject({ object: key, version: versionId, raw, detail: expect.stringContaining(detail) as unknown });
  });
  expect(counts).toMatchObject({ read: JSON_CASES.length, stored: 0, duplicates: 0 });
  const expected = new Map<string, number>();
  for (const [, reason] of JSON_CASES) expected.set(reason, (expected.get(reason) ?? 0) + 1);
  expect(counts.quarantined).toEqual(Object.fromEntries(expected));
});

test('bounds are half-open: the first and last instant of the event window, and the poles, are stored', async () => {
  const records = [
    { timestamp: at('2018-07-29T13:00:00Z'), longitude: -180, latitude: -90 },
    { timestamp: at('2018-08-01T14:09:59.999Z'), longitude: 180, latitude: 90 },
    { timestamp: at('2018-08-01T13:00:00Z'), longitude: 0, latitude: 0 },
  ];
  await putRaw(deps, rawKey(HOUR, 'a'), lines(records));

  expect((await runNight(deps, night)).counts).toEqual({ read: 3, stored: 3, duplicates: 0, quarantined: {} });
  expect((await storedRecords(deps)).map(({ epochMs, eventDate }) => [epochMs, eventDate])).toEqual([
    [at('2018-07-29T13:00:00Z'), '2018-07-29'],
    [at('2018-08-01T13:00:00Z'), '2018-08-01'],
    [at('2018-08-01T14:09:59.999Z'), '2018-08-01'],
  ]);
});

const OBJECTS: readonly (readonly [what: string, name: string, body: Buffer | string, read: number, stored: number, reasons: object])[] = [
  ['a gzip that ends early', 'a.gz', lines([good]).subarray(0, -9), 1, 0, { unreadable_object: 1 }],
  ['a gzip whose checksum is wrong', 'a.gz', corrupt(lines([good])), 1, 0, { unreadable_object: 1 }],
  ['a long gzip that ends early', 'a.gz', lines(manyRecords(40_000)).subarray(0, -20_000), 1, 0, { unreadable_object: 1 }],
  ['no gzip, though it is named so', 'a.gz', JSON.stringify(good), 1, 0, { unreadable_object: 1 }],
  ['a gzip that is not named so', 'a.json', lines([good]), 1, 1, {}],
  ['two gzips end to end', 'a.gz', Buffer.concat([lines([good]), lines([{ ...good, longitude: 9 }])]), 2, 2, {}],
  ['plain text', 'a.json', `${JSON.stringify(good)}\n`, 1, 1, {}],
  ['no line feed at the end', 'a.json', JSON.stringify(good), 1, 1, {}],
  ['a byte order mark and CRLF', 'a.json', `\ufeff${JSON.stringify(good)}\r\n`, 1, 1, {}],
  ['an empty file', 'a.json', '', 0, 0, {}],
  ['an empty file that is named gzip', 'a.gz', '', 0, 0, {}],
  ['a gzip of nothing', 'a.gz', gzipSync(''), 0, 0, {}],
  ['blank lines only', 'a.json', '\n \t\n\r\n\n', 0, 0, {}],
  ['bytes that are no text', 'a.json', Buffer.from([0xff, 0xfe, 0x00, 0x0a, 0x80, 0x00]), 2, 0, { bad_line: 2 }],
  ['a line that is longer than a mebibyte', 'a.gz', gzipSync(`{"x":"${'x'.repeat(3_000_000)}"}\n${JSON.stringify(good)}\n`), 2, 1, { bad_line: 1 }],
  ['a line of just under a mebibyte', 'a.gz', gzipSync(JSON.stringify({ ...good, x: 'x'.repeat(1_048_000) })), 1, 1, {}],
];

test.each(OBJECTS)('%s has a defined outcome (S1.14, bad input)', async (_what, name, body, read, stored, quarantined) => {
  await putRaw(deps, rawKey(HOUR, name), body);
  expect((await runNight(deps, night)).counts).toEqual({ read, stored, duplicates: 0, quarantined });
  expect(await storedRecords(deps)).toHaveLength(stored);
});

test('an unreadable object takes nothing of its neighbours with it, before or after', async () => {
  await putRaw(deps, rawKey(HOUR, 'a.gz'), lines([good]));
  await putRaw(deps, rawKey(HOUR, 'b.gz'), lines(manyRecords(30_000)).subarray(0, -5_000));
  await putRaw(deps, rawKey(HOUR, 'c.gz'), lines([{ ...good, longitude: 9 }]));

  expect((await runNight(deps, night)).counts).toEqual({ read: 3, stored: 2, duplicates: 0, quarantined: { unreadable_object: 1 } });
  expect(await quarantineRows()).toEqual([expect.objectContaining({ line: 0, raw: '', object: rawKey(HOUR, 'b.gz') })]);
});

test('a gzip that inflates beyond the bound is unreadable, and does not fill the disk', async () => {
  const bomb = gzipSync('\n'.repeat(50_000_000));
  await putRaw(deps, rawKey(HOUR, 'bomb.gz'), bomb);
  const small = { ...deps, rawLimits: { maxLineBytes: 1024 ** 2, maxObjectBytes: 1024 ** 2 } };
  expect((await runNight(small, night)).counts).toEqual({ read: 1, stored: 0, duplicates: 0, quarantined: { unreadable_object: 1 } });
});

test('attributes of another type are null, and a number is a text where a text is declared', async () => {
  const attributes = [
    [{ icao24: 'abc', groundspeed: 12.5, altitude: 0 }, ['abc', 12.5, 0]],
    [{ icao24: 4711, groundspeed: '12.5', altitude: 'ground' }, ['4711', null, null]],
    [{ icao24: null, groundspeed: null }, [null, null, null]],
    [{ icao24: 'ü "quoted" \u20ac', groundspeed: true, altitude: { m: 1 } }, ['ü "quoted" \u20ac', null, null]],
  ] as const;
  await putRaw(deps, rawKey(HOUR, 'a.gz'), lines(attributes.map(([attribute], index) => ({ ...good, longitude: index, ...attribute }))));
  await putRaw(deps, rawKey(HOUR, 'b.gz'), gzipSync(JSON.stringify({ ...good, altitude: 1 }).replace('"altitude":1', '"altitude":NaN')));

  await runNight(deps, night);

  const keys = await storageKeys();
  expect(await readParquet(deps, keys, 'device_id, speed, altitude, longitude')).toEqual(
    expect.arrayContaining([...attributes.map(([, row], index) => [...row, index]), [null, null, null, 8.5]]),
  );
});

test('storage columns are the declared fields and the lineage, with their types (S2.4, S2.9, S2.10, X5)', async () => {
  const versionId = await putRaw(deps, rawKey(HOUR, 'a b.gz'), gzipSync(`\n${JSON.stringify(good)}\n`));
  await runNight(deps, night);

  const keys = await storageKeys();
  const described = await readParquet(deps, keys, "typeof(event_time), typeof(device_id), typeof(longitude), typeof(cycle_id), typeof(generation), typeof(raw_object), typeof(raw_version), typeof(raw_line)");
  expect(described).toEqual([['TIMESTAMP WITH TIME ZONE', 'VARCHAR', 'DOUBLE', 'VARCHAR', 'INTEGER', 'VARCHAR', 'VARCHAR', 'BIGINT']]);
  expect(await storedRecords(deps)).toEqual([
    {
      epochMs: good.timestamp,
      longitude: good.longitude,
      latitude: good.latitude,
      eventDate: '2018-08-01',
      cycleId: 'mobile-geolocation/20180802T000000Z',
      generation: 1,
      rawObject: rawKey(HOUR, 'a b.gz'),
      rawVersion: versionId,
      rawLine: 2,
    },
  ]);
});

test('fields are found under any name that JSON allows, and every field type is stored', async () => {
  const source = 'we/ird~"name\'.[0]';
  const spec: PipelineSpec = {
    ...SPEC,
    record: {
      ...SPEC.record,
      fields: [
        ...SPEC.record.fields.map((field) => (field.name === 'longitude' ? { ...field, source } : field)),
        { name: 'big', source: 'big', type: 'bigint' },
        { name: 'flag', source: 'flag', type: 'boolean' },
        { name: 'seen_at', source: 'seen', type: 'timestamp-ms' },
      ],
    },
    dedup: { ...SPEC.dedup, key: ['event_time', 'longitude', 'latitude', 'device_id', 'big', 'flag'] },
  };
  const record = { timestamp: good.timestamp, latitude: 1, [source]: 2, flag: true, seen: 1_000 };
  const text = JSON.stringify({ ...record, big: 0 }).replace('"big":0', '"big":9223372036854775807');
  await putRaw(deps, rawKey(HOUR, 'a.gz'), gzipSync([text, text, JSON.stringify({ ...record, flag: 'true', big: 1.5 })].join('\n')));

  expect((await runNight(deps, night, { spec })).counts).toEqual({ read: 3, stored: 2, duplicates: 1, quarantined: {} });
  expect(await readParquet(deps, await storageKeys(), 'longitude, big::varchar, flag, epoch_ms(seen_at)')).toEqual([
    [2, '9223372036854775807', true, '1000'],
    [2, null, null, '1000'],
  ]);
});

test('read = stored + duplicates + quarantined for each object of each chunk document (I1, X6)', async () => {
  await putRaw(deps, rawKey(HOUR, 'a.gz'), lines([good, good, { ...good, longitude: 9 }, { ...good, latitude: null }]));
  await putRaw(deps, rawKey(HOUR, 'b.gz'), lines([{ ...good, longitude: 9 }, { ...good, longitude: 10 }]));
  await putRaw(deps, rawKey(HOUR, 'c.gz'), 'broken');
  await runNight(deps, night);

  const { Contents = [] } = await deps.s3.send(new ListObjectsV2Command({ Bucket: deps.buckets.artifacts, Prefix: 'cycles/' }));
  const Key = Contents.map((each) => each.Key ?? '').find((key) => key.includes('/chunks/'));
  const { Body } = await deps.s3.send(new GetObjectCommand({ Bucket: deps.buckets.artifacts, Key }));
  const document = JSON.parse((await Body?.transformToString()) ?? '') as ChunkDocument;
  expect(document.objects.map((object) => object.counts)).toEqual([
    { read: 4, stored: 2, duplicates: 1, quarantined: { null_coordinate: 1 } },
    { read: 2, stored: 1, duplicates: 1, quarantined: {} },
    { read: 1, stored: 0, duplicates: 0, quarantined: { unreadable_object: 1 } },
  ]);
  expect(document.counts).toEqual({ read: 7, stored: 3, duplicates: 2, quarantined: { null_coordinate: 1, unreadable_object: 1 } });
});

test('every declared reason of this stage is covered here', () => {
  const covered = new Set([...JSON_CASES.map(([, reason]) => reason), ...OBJECTS.flatMap(([, , , , , reasons]) => Object.keys(reasons))]);
  expect([...covered].sort()).toEqual(QUARANTINE_REASONS.filter((reason) => reason !== 'invalid_geometry').sort());
});

async function storageKeys(): Promise<readonly string[]> {
  const { Contents = [] } = await deps.s3.send(new ListObjectsV2Command({ Bucket: deps.buckets.storage }));
  return Contents.map((each) => each.Key ?? '');
}

function corrupt(gzip: Buffer): Buffer {
  const copy = Buffer.from(gzip);
  copy.writeUInt32LE(0xdeadbeef, copy.length - 8);
  return copy;
}

function manyRecords(count: number) {
  return Array.from({ length: count }, (_, index) => ({ ...good, longitude: (index * 7919) % 180, speed: Math.sin(index) }));
}
