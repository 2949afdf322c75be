import { fill, line, object, type PoisonEntry, sound, type StoredValues, type Verdict } from './entry';

const json = (value: unknown) => JSON.stringify(value).replaceAll('"$t"', '$t').replaceAll('"$x"', '$x').replaceAll('"$y"', '$y');
const LINEAGE = { cycle_id: 'x', generation: 99, raw_object: 'y', raw_version: 'z', raw_line: 1, event_date: '1970-01-01' };
const RECORD = { timestamp: '$t', longitude: '$x', latitude: '$y' };
const drift = (name: string, value: unknown, verdict: Verdict, values?: StoredValues) => line(`drift: ${name}`, json(value), verdict, values);

/** A member that is missing is null; one that nobody declared is not looked at. */
export const schemaDrift: readonly PoisonEntry[] = [
  drift('a member added', { ...RECORD, firmware: '2.0' }, 'stored'),
  drift('a nested member added', { ...RECORD, meta: { longitude: 999, tags: [1, { timestamp: null }] } }, 'stored'),
  drift('a member of every lineage name added', { ...RECORD, ...LINEAGE }, 'stored'),
  drift('1,000 members added', { ...RECORD, ...Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`c${index}`, null])) }, 'stored'),
  drift('all attributes gone', RECORD, 'stored', { device_id: null, speed: null, altitude: null, big: null, flag: null, seen_at: null }),
  drift('members in another order', { seen: 0, latitude: '$y', icao24: 'abc', longitude: '$x', timestamp: '$t' }, 'stored', { device_id: 'abc', seen_at: 0 }),
  drift('the event time renamed to its stored name', { event_time: '$t', longitude: '$x', latitude: '$y' }, 'bad_timestamp'),
  drift('the event time renamed to ts', { ts: '$t', longitude: '$x', latitude: '$y' }, 'bad_timestamp'),
  drift('the longitude renamed to lon', { timestamp: '$t', lon: '$x', latitude: '$y' }, 'null_coordinate'),
  drift('the longitude renamed to lng', { timestamp: '$t', lng: '$x', latitude: '$y' }, 'null_coordinate'),
  drift('both renamed to x and y', { timestamp: '$t', x: '$x', y: '$y' }, 'null_coordinate'),
  drift('an attribute renamed to its stored name', { ...RECORD, device_id: 'abc', icao24: undefined }, 'stored', { device_id: null }),
  drift('the event time in capitals', { TIMESTAMP: '$t', longitude: '$x', latitude: '$y' }, 'bad_timestamp'),
  drift('the longitude with a capital', { timestamp: '$t', Longitude: '$x', latitude: '$y' }, 'null_coordinate'),
  drift('two cases of a name, the declared one last', { Longitude: 999, ...RECORD }, 'stored'),
  drift('an attribute with a capital', { ...RECORD, Icao24: 'abc' }, 'stored', { device_id: null }),
  drift('the place nested', { timestamp: '$t', position: { longitude: '$x', latitude: '$y' } }, 'null_coordinate'),
  drift('the place with dots', { timestamp: '$t', 'position.longitude': '$x', 'position.latitude': '$y' }, 'null_coordinate'),
  drift('the place as an array', { timestamp: '$t', position: ['$x', '$y'] }, 'null_coordinate'),
  drift('a feature of GeoJSON', { type: 'Feature', properties: { timestamp: '$t' }, geometry: { type: 'Point', coordinates: ['$x', '$y'] } }, 'bad_timestamp'),
  drift('an envelope of Firehose', { recordId: '1', data: 'eyJ0aW1lc3RhbXAiOjF9' }, 'bad_timestamp'),
  drift('an envelope of SNS', { Type: 'Notification', Message: '{"timestamp":1}', Timestamp: '2018-08-01T13:00:00.000Z' }, 'bad_timestamp'),
  drift('an envelope of EventBridge', { version: '0', time: '2018-08-01T13:00:00Z', detail: RECORD }, 'bad_timestamp'),
  drift('many records in one member', { records: [RECORD, RECORD] }, 'bad_timestamp'),
  drift('columns instead of rows', { timestamp: ['$t', '$t'], longitude: ['$x', '$x'], latitude: ['$y', '$y'] }, 'bad_timestamp'),
  drift('types of DynamoDB', { timestamp: { N: '1' }, longitude: { N: '8' }, latitude: { N: '47' } }, 'bad_timestamp'),
  drift('every value a text', { timestamp: '1533128400000', longitude: '8.5', latitude: '47' }, 'bad_timestamp'),
  drift('an error for a record', { error: 'device offline', code: 503 }, 'bad_timestamp'),
  drift('null as the text NULL', { ...RECORD, icao24: 'NULL' }, 'stored', { device_id: 'NULL' }),
  drift('null as the text of Hive', { ...RECORD, icao24: '\\N' }, 'stored', { device_id: '\\N' }),
  drift('null as the text null', { ...RECORD, icao24: 'null' }, 'stored', { device_id: 'null' }),
  drift('an attribute became a text', { ...RECORD, groundspeed: '12.5 kt' }, 'stored', { speed: null }),
  drift('an attribute became an object', { ...RECORD, altitude: { value: 5, unit: 'm' } }, 'stored', { altitude: null }),
  drift('an attribute became a list', { ...RECORD, groundspeed: [1, 2] }, 'stored', { speed: null }),
  drift('an attribute became a boolean', { ...RECORD, altitude: false }, 'stored', { altitude: null }),
  drift('a text became a number', { ...RECORD, icao24: 12 }, 'stored', { device_id: '12' }),
  drift('a boolean became a number', { ...RECORD, flag: 0 }, 'stored', { flag: null }),
  object('drift: a schema that changes from line to line', fill(`${json(RECORD)}\n{"v":2,"ts":$t}\n{"timestamp":"x"}\n${sound()}`), {
    read: 4, stored: 2, quarantined: { bad_timestamp: 2 }, lines: [2, 3],
  }),
  object('drift: lines of JSON, then of CSV', fill(`${json(RECORD)}\n$t,$x,$y\n`), { read: 2, stored: 1, quarantined: { bad_line: 1 }, lines: [2] }),
];
