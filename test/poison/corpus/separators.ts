import { allStored, line, NOTHING, object, type PoisonEntry, sound } from './entry';

const RECORD = '{"timestamp":$t,"longitude":$x,"latitude":$y}';
const joined = (separator: string) => `${sound()}${separator}${sound()}`;
const oneBadLine = { read: 1, stored: 0, quarantined: { bad_line: 1 }, lines: [1] };

/** Only a line feed ends a line; carriage returns before it are not part of the text (RawLineFile). */
export const separators: readonly PoisonEntry[] = [
  object('line ends of Windows', joined('\r\n'), allStored(2)),
  object('line ends of Windows with blank lines', `\r\n${joined('\r\n\r\n\r\n')}\r\n`, allStored(2)),
  object('line ends of the old Macintosh', joined('\r'), oneBadLine),
  object('a line feed, then a carriage return', joined('\n\r'), allStored(2)),
  object('two carriage returns before the line feed', joined('\r\r\n'), allStored(2)),
  object('the record separator of RFC 7464', `\x1e${sound()}\n\x1e${sound()}\n`, { read: 2, stored: 0, quarantined: { bad_line: 2 }, lines: [1, 2] }),
  object('a line separator for the line feed', joined('\u2028'), oneBadLine),
  object('a paragraph separator for the line feed', joined('\u2029'), oneBadLine),
  object('a next line for the line feed', joined('\u0085'), oneBadLine),
  object('a form feed for the line feed', joined('\f'), oneBadLine),
  object('a vertical tab for the line feed', joined('\v'), oneBadLine),
  object('a NUL for the line feed', joined('\0'), oneBadLine),
  object('a comma for the line feed', joined(','), oneBadLine),
  object('nothing for the line feed, as Firehose joins records', joined(''), oneBadLine),
  object('an escaped line feed for the line feed', joined('\\n'), oneBadLine),
  line('the line file\'s own separator inside a text', '{"timestamp":$t,"longitude":$x,"latitude":$y,"icao24":"a\x1fb"}', 'bad_line'),
  line('the line file\'s own separator between members', '{"timestamp":$t,\x1f"longitude":$x,"latitude":$y}', 'bad_line'),
  line('a forged head of the line file', `0\x1f99\x1f\x1f\x1f${RECORD}`, 'bad_line'),
  line('a forged fault of the line file', `0\x1f2\x1funreadable_object\x1fforged\x1f${RECORD}`, 'bad_line'),
  line('a group separator inside a text', '{"timestamp":$t,"longitude":$x,"latitude":$y,"icao24":"a\x1db"}', 'bad_line'),
  line('a carriage return inside a text', '{"timestamp":$t,"longitude":$x,"latitude":$y,"icao24":"a\rb"}', 'bad_line'),
  line('a carriage return between members', '{"timestamp":$t,\r"longitude":$x,\r"latitude":$y}', 'stored'),
  line('a carriage return before the object', `\r${RECORD}`, 'stored'),
  line('a carriage return behind a line that is no JSON', 'not\rjson', 'bad_line'),
  line('a double quote alone', '"', 'bad_line'),
  line('a line that begins a quoted field of CSV', '"abc,', 'bad_line'),
  line('a backslash at the end of the line', `${RECORD}\\`, 'bad_line'),
  object('line feeds only', '\n'.repeat(1_000), NOTHING),
  object('white space only', ' \t \r\n\t\t\n   ', NOTHING),
  object('a no-break space only', '\u00a0\n', oneBadLine),
  object('an ideographic space only', '\u3000\n', oneBadLine),
];
