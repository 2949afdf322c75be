import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { DuckDBInstance } from '@duckdb/node-api';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DemoNight, demoNights } from '../../cli/demo/nights';
import { airspacesOf, countryAreas, type NamedArea, referenceParquet } from '../../cli/demo/reference-data';
import { type TrafficSamples, trafficSamples } from '../../cli/demo/traffic-wheel';
import { toWkb } from '../../cli/demo/wkb';
import { zipMember } from '../../cli/demo/zip-member';
import { cacheFolder } from '../../infra/local/toolchain/cache';
import { createTestDatabase, type TestDatabase } from '../support/postgres';

let samples: TrafficSamples;

beforeAll(async () => {
  samples = await trafficSamples({ cache: cacheFolder(), python: process.env['MERIDIAN_PYTHON'] ?? 'python3', note: () => undefined });
}, 600_000);

const linesOf = (body: Buffer) => gunzipSync(body).toString('utf8').trimEnd().split('\n');
const recordsOf = (body: Buffer) => linesOf(body).map((line) => JSON.parse(line) as { timestamp: number; longitude: number; latitude: number });
const digestOf = (nights: readonly DemoNight[]) => {
  const hash = createHash('sha256');
  for (const { key, body } of nights.flatMap(({ objects }) => objects)) hash.update(key).update(body);
  return hash.digest('hex');
};
const keyOf = (record: { timestamp: number; longitude: number; latitude: number }) => `${record.timestamp}/${record.longitude}/${record.latitude}`;

describe('the three nights', () => {
  test('S0.1 every object arrives in an hour of its night, and the same bytes come each time', () => {
    const nights = demoNights(samples);

    for (const { intervalEnd, objects } of nights) {
      const end = Date.parse(intervalEnd);
      for (const { key } of objects) {
        const [, year, month, day, hour] = /^mobile-geolocation\/(\d{4})\/(\d{2})\/(\d{2})\/(\d{2})\/[^/]+$/.exec(key) ?? [];
        const arrived = Date.parse(`${year}-${month}-${day}T${hour}:00:00Z`);
        expect(arrived).toBeGreaterThanOrEqual(end - 86_400_000);
        expect(arrived).toBeLessThan(end);
      }
    }
    expect(digestOf(demoNights(samples))).toBe(digestOf(nights));
  });

  test('S2.3 the first two hold the whole day once, and the end of its first half again in another order and other files', () => {
    const [first, second] = demoNights(samples);
    const before = (first?.objects ?? []).flatMap(({ body }) => recordsOf(body).map(keyOf));
    const after = (second?.objects ?? []).flatMap(({ body }) => recordsOf(body).map(keyOf));
    const known = new Set(before);
    const resent = after.filter((key) => known.has(key));

    expect(new Set([...before, ...after]).size).toBe(139_098);
    expect(before.length).toBe(known.size);
    expect(before.length + after.length - resent.length).toBe(139_098);
    expect(resent.length).toBeGreaterThan(20_000);
    const again = new Set(resent);
    expect(resent.join() === before.filter((key) => again.has(key)).join()).toBe(false);
    const bodies = new Set((first?.objects ?? []).map(({ body }) => body.toString('base64')));
    expect((second?.objects ?? []).some(({ body }) => bodies.has(body.toString('base64')))).toBe(false);
  });

  test('S1.15 keys with a space, %2F, + and --conf are among them', () => {
    const keys = demoNights(samples).flatMap(({ objects }) => objects.map(({ key }) => key));

    for (const odd of [' ', '%2F', '+', '/--conf ']) expect(keys.some((key) => key.includes(odd))).toBe(true);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('S2.36 the third holds the airport as it is, and every fault that it should', () => {
    const objects = new Map((demoNights(samples)[2]?.objects ?? []).map(({ key, body }) => [key.split('/').at(-1) ?? '', body]));
    const airport = [...objects].filter(([name]) => name.startsWith('airport')).flatMap(([, body]) => recordsOf(body));
    const firmware = linesOf(objects.get('old+firmware.json.gz') ?? gzipSync(''));

    expect(JSON.stringify(airport) === JSON.stringify(samples.zurichAirport)).toBe(true);
    expect(airport.length - new Set(airport.map((record) => JSON.stringify(record))).size).toBe(2_297);
    expect(() => gunzipSync(objects.get('cut-off.json.gz') ?? gzipSync(''))).toThrow(/unexpected end/);
    for (const line of linesOf(objects.get('gateway error.json.gz') ?? gzipSync('{}'))) expect(() => JSON.parse(line) as unknown).toThrow();
    expect(firmware.filter((line) => line.includes('"latitude":NaN'))).toHaveLength(40);
    expect(firmware.filter((line) => /"timestamp":\d{10}[,}]/.test(line))).toHaveLength(40);
    expect(firmware.filter((line) => /"latitude":1[0-9]{2}\./.test(line))).toHaveLength(40);
  });
});

describe('the reference data', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.stop());

  test('58 airspaces and the countries become Parquet of name and WKB', async () => {
    const areas = airspacesOf(samples.airspaces);
    const folder = await mkdtemp(join(tmpdir(), 'meridian-reference-test-'));
    const path = join(folder, 'airspaces.parquet');
    await writeFile(path, await referenceParquet(areas));
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();

    const reader = await connection.runAndReadAll(
      `select name, typeof(name), typeof(geometry), octet_length(geometry)::int from '${path}'`,
    );

    const rows = reader.getRows();
    expect(rows).toHaveLength(58);
    expect(rows.map(([name]) => name)).toEqual(areas.map(({ name }) => name).sort());
    expect(new Set(rows.map(([, nameType, geometryType]) => `${String(nameType)} ${String(geometryType)}`))).toEqual(new Set(['VARCHAR BLOB']));
    connection.closeSync();
    instance.closeSync();
    await rm(folder, { recursive: true });
  });

  test.each<[string, () => readonly NamedArea[], number]>([
    ['airspaces', () => airspacesOf(samples.airspaces), 58],
    ['countries', () => countryAreas(), 255],
  ])('S0.14 PostGIS reads the WKB of %s as it reads their GeoJSON', async (_, areas, count) => {
    const given = areas();

    for (const { name, geometry } of given) {
      const { rows } = await database.pool.query<{ same: boolean }>(
        'select st_asbinary(st_geomfromwkb($1)) = st_asbinary(st_force2d(st_geomfromgeojson($2))) as same',
        [toWkb(geometry), JSON.stringify(geometry)],
      );
      expect({ name, same: rows[0]?.same }).toEqual({ name, same: true });
    }
    expect(given).toHaveLength(count);
    expect(new Set(given.map(({ name }) => name)).size).toBe(count);
  });
});

test('a file that is no archive, and an archive without the member, each give one clear error', () => {
  expect(() => zipMember(Buffer.from('not a zip archive, and long enough to look at'), 'a', 'x.whl')).toThrow(/x\.whl .* is no zip archive/);
  const empty = Buffer.alloc(22);
  empty.writeUInt32LE(0x06054b50, 0);
  expect(() => zipMember(empty, 'a/b', 'x.whl')).toThrow('x.whl has no member "a/b"');
});
