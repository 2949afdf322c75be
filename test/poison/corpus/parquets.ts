import { gzipSync } from 'node:zlib';
import { parquetOf } from '../../dedup/support/parquet';
import { allStored, type Expected, fill, HOUR_MS, LIMITS, NOTHING, object, type PoisonEntry, sound, type StoredValues, UNREADABLE, type Verdict } from './entry';

type Columns = Readonly<Record<string, string | undefined>>;
const BASE: Columns = { timestamp: '$t::bigint', longitude: '$x::double', latitude: '$y::double', icao24: "'abc'" };

/** A query of one row, from expressions of DuckDB by column; undefined leaves a column out. */
function select(columns: Columns): string {
  return fill(`select ${Object.entries(columns).flatMap(([name, sql]) => (sql === undefined ? [] : [`${sql} as "${name}"`])).join(', ')}`);
}

/** Three rows, sound. */
const three = () => [1, 2, 3].map(() => select(BASE)).join(' union all ');

const rows = (name: string, query: string, expected: Expected, options = '') => object(`parquet: ${name}`, () => parquetOf(query, options), expected);
/** A row with some columns of its own. */
const row = (name: string, columns: Columns, verdict: Verdict, values?: StoredValues) =>
  rows(name, select({ ...BASE, ...columns }), {
    read: 1,
    stored: verdict === 'stored' ? 1 : 0,
    quarantined: verdict === 'stored' ? {} : { [verdict]: 1 },
    lines: verdict === 'stored' ? [] : [1],
    ...(values === undefined ? {} : { row: { line: 1, values } }),
  });
/** A sound file of three rows with its bytes changed: unreadable as a whole. */
const broken = (name: string, change: (file: Buffer, footerBytes: number) => Buffer, options = 'compression zstd') =>
  object(`parquet: ${name}`, async () => {
    const file = await parquetOf(three(), options);
    return change(Buffer.from(file), file.readUInt32LE(file.length - 8));
  }, UNREADABLE);
const noParquet = (name: string, body: Buffer) => object(`parquet: ${name}`, body, UNREADABLE);

const filled = (file: Buffer, from: number, to: number, byte: number) => file.fill(byte, from, to);
const withLength = (file: Buffer, footerBytes: number) => {
  file.writeUInt32LE(footerBytes, file.length - 8);
  return file;
};

/** Every part of the file that a reader relies on, broken. */
const BROKEN: readonly PoisonEntry[] = [
  object('parquet: an empty object', Buffer.alloc(0), NOTHING),
  noParquet('one byte', Buffer.from('P')),
  noParquet('its magic only', Buffer.from('PAR1')),
  noParquet('its magic twice', Buffer.from('PAR1PAR1')),
  noParquet('its magic around a footer of no bytes', Buffer.concat([Buffer.from('PAR1'), Buffer.alloc(4), Buffer.from('PAR1')])),
  noParquet('zeros', Buffer.alloc(4_096)),
  noParquet('JSON lines', Buffer.from(`${sound()}\n`)),
  noParquet('JSON lines in gzip', gzipSync(`${sound()}\n`)),
  noParquet('CSV', Buffer.from('timestamp,longitude,latitude\n1,2,3\n')),
  noParquet('ORC', Buffer.from('4f52430a0b0c4f5243', 'hex')),
  noParquet('Avro', Buffer.from('4f626a0104166176726f2e736368656d61', 'hex')),
  noParquet('a stream of Arrow', Buffer.from('ffffffff78000000100000000000', 'hex')),
  noParquet('a file of Arrow', Buffer.from('4152524f57310000ffffffff', 'hex')),
  noParquet('an error page', Buffer.from('<html><body>503</body></html>')),
  object('parquet: in gzip', async () => gzipSync(await parquetOf(three())), UNREADABLE),
  broken('a wrong magic at its end', (file) => filled(file, file.length - 4, file.length, 0x58)),
  broken('cut by its last byte', (file) => file.subarray(0, -1)),
  broken('cut before its last magic', (file) => file.subarray(0, -4)),
  broken('cut before its footer', (file, footer) => file.subarray(0, -8 - footer)),
  broken('cut inside its footer', (file, footer) => file.subarray(0, -8 - Math.floor(footer / 2))),
  broken('its second half only', (file) => file.subarray(Math.floor(file.length / 2), -8)),
  broken('a byte missing before its footer', (file, footer) => Buffer.concat([file.subarray(0, 20), file.subarray(file.length - 8 - footer)])),
  broken('bytes behind it', (file) => Buffer.concat([file, Buffer.from('\n')])),
  broken('a footer of no bytes', (file) => withLength(file, 0)),
  broken('a footer one byte short', (file, footer) => withLength(file, footer - 9)),
  broken('a footer longer than the file', (file) => withLength(file, file.length + 1)),
  broken('a footer of 2 GiB', (file) => withLength(file, 0x7fffffff)),
  broken('a footer of 4 GiB', (file) => withLength(file, 0xffffffff)),
  broken('a footer of zeros', (file, footer) => filled(file, file.length - 8 - footer, file.length - 8, 0)),
  broken('a footer of ones', (file, footer) => filled(file, file.length - 8 - footer, file.length - 8, 0xff)),
  broken('a footer whose first bytes are noise', (file, footer) => filled(file, file.length - 8 - footer, file.length - footer, 0xa5)),
  broken('a footer whose last half is noise', (file, footer) => filled(file, file.length - 8 - Math.floor(footer / 2), file.length - 8, 0xa5)),
  broken('pages of ones', (file, footer) => filled(file, 4, file.length - 8 - footer, 0xff)),
  broken('pages of noise', (file, footer) => filled(file, 4, file.length - 8 - footer, 0xa5)),
  broken('a first page header of ones', (file) => filled(file, 4, 12, 0xff)),
  broken('data of zstd that is noise', (file, footer) => noiseAfterHeaders(file, footer)),
  broken('data of snappy that is noise', (file, footer) => noiseAfterHeaders(file, footer), 'compression snappy'),
  broken('data of gzip that is noise', (file, footer) => noiseAfterHeaders(file, footer), 'compression gzip'),
  broken('data of LZ4 that is noise', (file, footer) => noiseAfterHeaders(file, footer), 'compression lz4_raw'),
  broken('data of Brotli that is noise', (file, footer) => noiseAfterHeaders(file, footer), 'compression brotli'),
  broken('the magic of an encrypted footer', (file) => {
    file.write('PARE', 0);
    file.write('PARE', file.length - 4);
    return file;
  }),
  object('parquet: encrypted', () => parquetOf(three(), "encryption_config {footer_key: 'key128'}", [
    "set force_mbedtls_unsafe = 'true'",
    "pragma add_parquet_key('key128', '0123456789112345')",
  ]), UNREADABLE),
  object('parquet: a text column that is not UTF-8, though the file says so', async () => {
    const file = await parquetOf(three().replaceAll("'abc'", "'QQQQQQQQ'"), 'compression uncompressed');
    for (let at = file.indexOf('QQQQQQQQ'); at >= 0; at = file.indexOf('QQQQQQQQ', at + 1)) file.fill(0xff, at, at + 8);
    return file;
  }, UNREADABLE),
  rows('more rows than may inflate', `select ${HOUR_MS}::bigint as timestamp, 1::double as longitude, 2::double as latitude from range(400000)`, UNREADABLE),
];

function noiseAfterHeaders(file: Buffer, footerBytes: number): Buffer {
  for (let at = 40; at < file.length - 8 - footerBytes; at += 3) file[at] = (at * 167) & 0xff;
  return file;
}

/** Columns and types that changed: a row is judged as the JSON line of its values would be (docs/decisions/0011). */
const DRIFT: readonly PoisonEntry[] = [
  row('no event time column', { timestamp: undefined }, 'bad_timestamp'),
  row('no longitude column', { longitude: undefined }, 'null_coordinate'),
  row('no latitude column', { latitude: undefined }, 'null_coordinate'),
  row('no attribute columns', { icao24: undefined }, 'stored', { device_id: null, speed: null, big: null, flag: null, seen_at: null }),
  rows('no declared column', 'select 1 as a, 2 as b union all select 3, 4', { read: 2, stored: 0, quarantined: { bad_timestamp: 2 }, lines: [1, 2] }),
  row('a column added', { firmware: "'2.0'", tags: '[1, 2]' }, 'stored'),
  row('columns of the lineage', { raw_object: "'x'", raw_line: '77', _reason: "'future'", event_date: "date '1970-01-01'" }, 'stored'),
  row('columns that DuckDB itself would add', { filename: "'x'", file_row_number: '77', file_index: '5' }, 'stored'),
  row('a column whose name is SQL', { "x'); drop table record; --": '1', 'a""b': '2' }, 'stored'),
  row('the event time renamed to its stored name', { timestamp: undefined, event_time: '$t::bigint' }, 'bad_timestamp'),
  row('the longitude renamed', { longitude: undefined, lon: '$x::double' }, 'null_coordinate'),
  row('the event time in capitals', { timestamp: undefined, TIMESTAMP: '$t::bigint' }, 'bad_timestamp'),
  row('the longitude with a capital', { longitude: undefined, Longitude: '$x::double' }, 'null_coordinate'),
  row('the place in a struct', { longitude: undefined, latitude: undefined, position: "{'longitude': $x, 'latitude': $y}" }, 'null_coordinate'),
  row('an event time of null', { timestamp: 'null::bigint' }, 'bad_timestamp'),
  row('an event time of 32 bits, seconds', { timestamp: '1533128400::integer' }, 'too_late'),
  row('an event time as double', { timestamp: '$t::double' }, 'bad_timestamp'),
  row('an event time as a whole decimal', { timestamp: '$t::decimal(18,0)' }, 'stored'),
  row('an event time as a decimal with a fraction', { timestamp: '$t::decimal(18,3)' }, 'bad_timestamp'),
  row('an event time as text', { timestamp: "'$t'" }, 'bad_timestamp'),
  row('an event time as a date', { timestamp: "date '2018-08-01'" }, 'bad_timestamp'),
  row('an event time as a time of day', { timestamp: "time '13:00:00'" }, 'bad_timestamp'),
  row('an event time as a list', { timestamp: '[$t]' }, 'bad_timestamp'),
  row('an event time as a boolean', { timestamp: 'true' }, 'bad_timestamp'),
  row('an event time without sign, the largest', { timestamp: '18446744073709551615::ubigint' }, 'bad_timestamp'),
  row('an event time before 1970', { timestamp: '-1::bigint' }, 'bad_timestamp'),
  row('an event time of year 10000', { timestamp: '253402300800000::bigint' }, 'bad_timestamp'),
  row('a timestamp', { timestamp: "timestamp '2018-08-01 13:20:00'", longitude: '11::double' }, 'stored', { event_time: HOUR_MS + 1_200_000 }),
  row('a timestamp with a zone', { timestamp: "timestamptz '2018-08-01 15:20:00+02'", longitude: '12::double' }, 'stored', { event_time: HOUR_MS + 1_200_000 }),
  row('a timestamp in nanoseconds', { timestamp: "timestamp_ns '2018-08-01 13:20:00.001'", longitude: '13::double' }, 'stored', { event_time: HOUR_MS + 1_200_001 }),
  row('a timestamp in milliseconds', { timestamp: "timestamp_ms '2018-08-01 13:20:00.001'", longitude: '14::double' }, 'stored', { event_time: HOUR_MS + 1_200_001 }),
  row('a timestamp with microseconds', { timestamp: "timestamp '2018-08-01 13:20:00.000001'" }, 'bad_timestamp'),
  row('a timestamp with nanoseconds', { timestamp: "timestamp_ns '2018-08-01 13:20:00.000000001'" }, 'bad_timestamp'),
  row('a timestamp before 1970', { timestamp: "timestamp '1969-12-31 23:59:59.999'" }, 'bad_timestamp'),
  row('a timestamp of year 10000', { timestamp: "timestamp '10000-01-01 00:00:00'" }, 'bad_timestamp'),
  row('a timestamp without end', { timestamp: "'infinity'::timestamp" }, 'bad_timestamp'),
  row('a timestamp of null', { timestamp: 'null::timestamp' }, 'bad_timestamp'),
  row('a longitude of null', { longitude: 'null::double' }, 'null_coordinate'),
  row('a longitude of NaN', { longitude: "'nan'::double" }, 'bad_coordinate'),
  row('a longitude of NaN in 32 bits', { longitude: "'nan'::float" }, 'bad_coordinate'),
  row('a latitude of infinity', { latitude: "'-infinity'::double" }, 'bad_coordinate'),
  row('a longitude as text', { longitude: "'8.5'" }, 'bad_coordinate'),
  row('a longitude as a boolean', { longitude: 'false' }, 'bad_coordinate'),
  row('a longitude as a list', { longitude: '[8.5]' }, 'bad_coordinate'),
  row('a longitude as bytes', { longitude: "'8.5'::blob" }, 'bad_coordinate'),
  row('a longitude as an integer', { longitude: '8::tinyint' }, 'stored', { longitude: 8 }),
  row('a longitude as a decimal', { longitude: '8.125::decimal(9,4)' }, 'stored', { longitude: 8.125 }),
  row('a longitude in 32 bits', { longitude: '8.5::float' }, 'stored', { longitude: 8.5 }),
  row('a longitude out of range', { longitude: '180.5::double' }, 'coordinate_out_of_range'),
  row('a latitude in ten-millionths', { latitude: '472500000::integer' }, 'coordinate_out_of_range'),
  row('a text of bytes', { icao24: "encode('Zürich')" }, 'stored', { device_id: 'Zürich' }),
  row('a text of bytes that are not UTF-8', { icao24: "'\\xff\\xfe'::blob" }, 'bad_line'),
  row('a text with a NUL', { icao24: "'a' || chr(0) || 'b'" }, 'bad_line'),
  row('a text with separators', { icao24: "'a' || chr(10) || chr(31) || chr(13) || '\"b'" }, 'stored', { device_id: 'a\n\x1f\r"b' }),
  row('a text that is a number', { icao24: '4711' }, 'stored', { device_id: '4711' }),
  row('a text that is longer than a line may be', { icao24: `repeat('x', ${LIMITS.maxLineBytes})` }, 'bad_line'),
  row('a text that is eight times longer', { icao24: `repeat('x', ${8 * LIMITS.maxLineBytes})` }, 'bad_line'),
  rows('a text that takes more memory than there is', select({ ...BASE, icao24: "repeat('x', 200000000)" }), UNREADABLE),
  row('an attribute as text', { groundspeed: "'12.5'" }, 'stored', { speed: null }),
  row('an attribute of NaN', { groundspeed: "'nan'::double" }, 'stored', { speed: null }),
  row('a bigint that a double would round', { big: '9007199254740993::bigint' }, 'stored', { big: '9007199254740993' }),
  row('a bigint as a decimal that a double would round', { big: '9007199254740993::decimal(18,0)' }, 'stored', { big: '9007199254740993' }),
  row('a bigint as double', { big: '5::double' }, 'stored', { big: null }),
  row('a bigint without sign, the largest', { big: '18446744073709551615::ubigint' }, 'stored', { big: null }),
  row('a boolean as an integer', { flag: '1' }, 'stored', { flag: null }),
  row('a boolean', { flag: 'false' }, 'stored', { flag: false }),
  row('a time for an attribute as a timestamp', { seen: "timestamp '1970-01-01 00:00:01'" }, 'stored', { seen_at: 1_000 }),
];

const MANY_GROUPS = 'row_group_size 2048';
/** What is sound, though few write it. */
const SOUND: readonly PoisonEntry[] = [
  ...['uncompressed', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4_raw'].map((codec) => rows(`compressed by ${codec}`, three(), allStored(3), `compression ${codec}`)),
  rows('pages of version 2', three(), allStored(3), 'parquet_version v2'),
  rows('no rows', `${select(BASE)} limit 0`, NOTHING),
  rows('many row groups', `select ${HOUR_MS} + i as timestamp, 21::double as longitude, 2::double as latitude from range(10000) t(i)`, allStored(10_000), MANY_GROUPS),
  rows('the same row thrice', `select ${HOUR_MS}::bigint as timestamp, 22::double as longitude, 2::double as latitude from range(3)`, {
    read: 3, stored: 1, duplicates: 2, quarantined: {}, lines: [],
  }),
  rows('a bad row in a row group of its own', `${select(BASE)} union all ${select({ ...BASE, longitude: 'null::double' })} union all ${select(BASE)}`, {
    read: 3, stored: 2, quarantined: { null_coordinate: 1 }, lines: [2],
  }),
  rows('1,000 columns that nobody declared', `${select(BASE)}, ${Array.from({ length: 1_000 }, (_, index) => `${index} as c${index}`).join(', ')}`, allStored(1)),
];

/** Objects of a pipeline whose raw format is Parquet. */
export const parquets: readonly PoisonEntry[] = [...BROKEN, ...DRIFT, ...SOUND];
