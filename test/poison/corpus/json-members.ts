import { fill, line, member, object, type PoisonEntry } from './entry';

const nested = (depth: number, open: string, close: string) => `${open.repeat(depth)}1${close.repeat(depth)}`;
const deep = (token: string) => `{"timestamp":$t,"longitude":$x,"latitude":$y,"x":${token}}`;

/** Of a repeated name the first counts (createRecordTable); names are compared as JSON texts, character by character. */
const NAMES: readonly PoisonEntry[] = [
  line('a second, other longitude', '{"timestamp":$t,"longitude":$x,"latitude":$y,"longitude":999}', 'stored'),
  line('a first longitude out of range', '{"timestamp":$t,"longitude":999,"latitude":$y,"longitude":$x}', 'coordinate_out_of_range'),
  line('a second event time that is null', '{"timestamp":$t,"longitude":$x,"latitude":$y,"timestamp":null}', 'stored'),
  line('a first event time that is null', '{"timestamp":null,"timestamp":$t,"longitude":$x,"latitude":$y}', 'bad_timestamp'),
  line('a repeated name once by escape', '{"timestamp":$t,"longitude":$x,"latitude":$y,"\\u006congitude":999}', 'stored'),
  line('a name by escapes only', '{"\\u0074imestamp":$t,"longitude":$x,"latitude":$y}', 'stored'),
  line('an attribute thrice', '{"timestamp":$t,"longitude":$x,"latitude":$y,"icao24":"a","icao24":"b","icao24":"c"}', 'stored', { device_id: 'a' }),
  line('a name with a space after it', '{"timestamp ":$t,"longitude":$x,"latitude":$y}', 'bad_timestamp'),
  line('a name with a space before it', '{" timestamp":$t,"longitude":$x,"latitude":$y}', 'bad_timestamp'),
  line('a name with a NUL at its end', '{"timestamp\\u0000":$t,"longitude":$x,"latitude":$y}', 'bad_timestamp'),
  line('a name behind a byte order mark', '{"\\ufefftimestamp":$t,"longitude":$x,"latitude":$y}', 'bad_timestamp'),
  line('a name with a zero-width space', '{"time\u200bstamp":$t,"longitude":$x,"latitude":$y}', 'bad_timestamp'),
  line('a name with a Cyrillic letter', '{"timеstamp":$t,"longitude":$x,"latitude":$y}', 'bad_timestamp'),
  line('a name in full-width letters', '{"ｔｉｍｅｓｔａｍｐ":$t,"longitude":$x,"latitude":$y}', 'bad_timestamp'),
  line('an empty name', '{"":1,"timestamp":$t,"longitude":$x,"latitude":$y}', 'stored'),
  line('the name __proto__', '{"__proto__":{"longitude":999},"timestamp":$t,"longitude":$x,"latitude":$y}', 'stored'),
  line('the name constructor', '{"constructor":{"prototype":{}},"timestamp":$t,"longitude":$x,"latitude":$y}', 'stored'),
  line('a name that is a JSON path', '{"$.timestamp":1,"timestamp":$t,"longitude":$x,"latitude":$y}', 'stored'),
  line('a name that is a JSON pointer', '{"/timestamp":$t,"longitude":$x,"latitude":$y}', 'bad_timestamp'),
  line('a name that is a wildcard', '{"*":$t,"longitude":$x,"latitude":$y}', 'bad_timestamp'),
  line('a name that is SQL', '{"timestamp":$t,"longitude":$x,"latitude":$y,"x\'); drop table record; --":1}', 'stored'),
  line('names that dedup\'s own columns have', '{"timestamp":$t,"longitude":$x,"latitude":$y,"_reason":"future","_object":7,"_line":9,"raw_line":5}', 'stored'),
  line('a name of 100,000 characters', `{"${'n'.repeat(100_000)}":1,"timestamp":$t,"longitude":$x,"latitude":$y}`, 'stored'),
  line('10,000 other members before the declared ones', `{${otherMembers(10_000)},"timestamp":$t,"longitude":$x,"latitude":$y}`, 'stored'),
];

/** RFC 8259 sets no depth; what is nested stands in a member that nobody declared. */
const NESTING: readonly PoisonEntry[] = [
  line('arrays 100 deep', deep(nested(100, '[', ']')), 'stored'),
  line('arrays 1,000 deep', deep(nested(1_000, '[', ']')), 'stored'),
  line('arrays 100,000 deep', deep(nested(100_000, '[', ']')), 'stored'),
  line('arrays 500,000 deep that never close', deep('['.repeat(500_000)), 'bad_line'),
  line('a line of opening brackets', '['.repeat(1_000_000), 'bad_line'),
  line('objects 1,000 deep', deep(nested(1_000, '{"a":', '}')), 'stored'),
  line('objects 100,000 deep', deep(nested(100_000, '{"a":', '}')), 'stored'),
  line('objects and arrays in turns, 50,000 deep', deep(nested(50_000, '{"a":[', ']}')), 'stored'),
  line('objects 100,000 deep that never close', '{"a":'.repeat(100_000), 'bad_line'),
  line('brackets that close in the wrong order', deep('[{]}'), 'bad_line'),
  member('a coordinate 10,000 arrays deep', 'longitude', nested(10_000, '[', ']'), 'bad_coordinate'),
  member('an event time 10,000 objects deep', 'timestamp', nested(10_000, '{"a":', '}'), 'bad_timestamp'),
  line('the record one level down', '{"data":{"timestamp":$t,"longitude":$x,"latitude":$y}}', 'bad_timestamp'),
  line('a record whose members are in an inner object of the same names', '{"timestamp":$t,"longitude":$x,"latitude":{"latitude":$y}}', 'bad_coordinate'),
];

/** Names, repetition and nesting. */
export const jsonMembers: readonly PoisonEntry[] = [
  ...NAMES,
  ...NESTING,
  object('the same record twice in an object', repeated('{"timestamp":$t,"longitude":$x,"latitude":$y}'), {
    read: 2, stored: 1, duplicates: 1, quarantined: {}, lines: [],
  }),
  object(
    'the same record once with its members in another order and other attributes',
    repeated('{"timestamp":$t,"longitude":$x,"latitude":$y,"icao24":"a"}', '{"icao24":"b","latitude":$y,"longitude":$x,"timestamp":$t}'),
    { read: 2, stored: 1, duplicates: 1, quarantined: {}, lines: [], row: { line: 1, values: { device_id: 'a' } } },
  ),
];

/** Templates that share their time and place. */
function repeated(first: string, second = first): string {
  return fill(`${first}\n${second}\n`);
}

function otherMembers(count: number): string {
  return Array.from({ length: count }, (_, index) => `"m${index}":${index}`).join(',');
}
