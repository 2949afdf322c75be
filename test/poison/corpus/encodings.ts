import { allBadLines, allStored, type Expected, fill, line, member, NOTHING, object, type PoisonEntry, sound } from './entry';

/** A sound line with these bytes in its text. */
const inText = (name: string, bytes: readonly number[]) => {
  const [before = '', after = ''] = fill('{"timestamp":$t,"longitude":$x,"latitude":$y,"icao24":"a|b"}').split('|');
  return line(name, Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]), 'bad_line');
};
const text = (name: string, value: string, stored = value) => member(name, 'icao24', JSON.stringify(value), 'stored', { device_id: stored });
const encoded = (name: string, body: Buffer) => object(name, body, allBadLines(body));
const BOM = '\ufeff';

const BYTES: readonly PoisonEntry[] = [
  inText('a lone continuation byte', [0x80]),
  inText('a lead byte without its continuation', [0xc3]),
  inText('a lead byte of three with one continuation', [0xe2, 0x82]),
  inText('a lead byte of four with two continuations', [0xf0, 0x9f, 0x9a]),
  inText('an overlong slash in two bytes', [0xc0, 0xaf]),
  inText('an overlong slash in three bytes', [0xe0, 0x80, 0xaf]),
  inText('an overlong slash in four bytes', [0xf0, 0x80, 0x80, 0xaf]),
  inText('an overlong NUL', [0xc0, 0x80]),
  inText('a high surrogate in UTF-8', [0xed, 0xa0, 0x80]),
  inText('a surrogate pair in CESU-8', [0xed, 0xa0, 0xbd, 0xed, 0xba, 0x80]),
  inText('beyond the last code point', [0xf4, 0x90, 0x80, 0x80]),
  inText('a lead byte of five', [0xf8, 0x88, 0x80, 0x80, 0x80]),
  inText('a lead byte of six', [0xfc, 0x84, 0x80, 0x80, 0x80, 0x80]),
  inText('the byte FE', [0xfe]),
  inText('the byte FF', [0xff]),
  inText('an umlaut in Latin-1', [0xfc]),
  inText('a euro sign in Windows-1252', [0x80, 0x20]),
  inText('Shift-JIS', [0x93, 0x8c, 0x8b, 0x9e]),
  inText('GB 18030', [0xb1, 0xb1, 0xbe, 0xa9]),
  inText('KOI8-R', [0xed, 0xcf, 0xd3]),
  inText('a NUL byte', [0x00]),
  inText('a backspace byte', [0x08]),
  inText('a tab byte inside a text', [0x09]),
  inText('an escape byte', [0x1b]),
  inText('a substitute byte, where DOS ends a file', [0x1a]),
];

const TEXTS: readonly PoisonEntry[] = [
  text('the delete character, which JSON allows', 'a\x7fb'),
  text('a control character of Latin-1, which JSON allows', 'a\x85b'),
  text('an astral character', 'a🚀b'),
  text('an emoji of eleven code points', '👨‍👩‍👧‍👦'),
  text('the last code point', '\u{10ffff}'),
  text('a noncharacter', 'a\uffffb'),
  text('a byte order mark inside a text', `a${BOM}b`),
  text('a right-to-left override', 'a\u202egpj.exe'),
  text('bidirectional isolates', '\u2066admin\u2069'),
  text('a letter composed', 'é'),
  text('the same letter decomposed', 'e\u0301'),
  text('a hundred combining marks', `Z${'\u0300'.repeat(100)}`),
  text('a zero-width joiner alone', '\u200d'),
  text('the replacement character', '\ufffd'),
  text('a private character', '\ue000'),
  text('a language tag', '\u{e0001}'),
  text('dotless and dotted i', 'ıİ'),
  text('line and paragraph separators', 'a\u2028b\u2029c'),
  text('text that looks like an escape', '\\u0000'),
  text('an empty text', ''),
  member('an escaped surrogate pair', 'icao24', '"\\ud83d\\ude80"', 'stored', { device_id: '🚀' }),
  member('an escaped pair in the wrong order', 'icao24', '"\\ude80\\ud83d"', 'bad_line'),
  member('an escaped high surrogate alone', 'icao24', '"\\ud83d"', 'bad_line'),
  member('an escaped low surrogate alone', 'icao24', '"\\ude80"', 'bad_line'),
  member('an escaped high surrogate before a letter', 'icao24', '"\\ud83dA"', 'bad_line'),
  // PostgreSQL cannot hold it (docs/decisions/0010).
  member('an escaped NUL', 'icao24', '"\\u0000"', 'bad_line'),
  member('an escaped NUL after a text', 'icao24', '"abc\\u0000"', 'bad_line'),
  line('an escaped NUL in a member that nobody declared', '{"timestamp":$t,"longitude":$x,"latitude":$y,"x":"\\u0000"}', 'stored'),
  member('every other escaped control character', 'icao24', '"\\u0001\\u001e\\u001f\\u007f"', 'stored', { device_id: '\u0001\u001e\u001f\u007f' }),
];

const utf16be = (value: string) => Buffer.from(value, 'utf16le').swap16();
const utf32le = (value: string) => Buffer.concat([...value].map((each) => Buffer.from(Uint32Array.of(each.codePointAt(0) ?? 0).buffer)));

/** Bytes that are not UTF-8, text that is but looks odd, and whole objects in other encodings. */
export const encodings: readonly PoisonEntry[] = [
  ...BYTES,
  ...TEXTS,
  encoded('UTF-16, little endian, with its mark', Buffer.from(`${BOM}${sound()}\n${sound()}\n`, 'utf16le')),
  encoded('UTF-16, little endian, without a mark', Buffer.from(`${sound()}\n`, 'utf16le')),
  encoded('UTF-16, big endian, with its mark', utf16be(`${BOM}${sound()}\n${sound()}\n`)),
  encoded('UTF-16, big endian, without a mark', utf16be(`${sound()}\n`)),
  encoded('UTF-32, little endian, with its mark', utf32le(`${BOM}${sound()}\n`)),
  encoded('UTF-32, big endian, with its mark', utf32le(`${BOM}${sound()}\n`).swap32()),
  encoded('UTF-7', Buffer.from(`+AHs-${sound()}+AH0-\n`)),
  encoded('EBCDIC', Buffer.from([0xc0, 0x7f, 0xa3, 0x89, 0x94, 0x85, 0x7f, 0x7a, 0xf1, 0xd0, 0x15])),
  encoded('random bytes', Buffer.from(Array.from({ length: 4_096 }, (_, index) => (index * 167 + ((index * index) >> 3)) & 0xff))),
  encoded('a picture', Buffer.from('89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489', 'hex')),
  object('a byte order mark at the beginning', `${BOM}${sound()}\n`, allStored(1)),
  object('a byte order mark and nothing else', BOM, NOTHING),
  object('a byte order mark and a blank line', `${BOM}\n${sound()}\n`, { read: 1, stored: 1, quarantined: {}, lines: [] }),
  object('two byte order marks', `${BOM}${BOM}${sound()}\n`, { read: 1, stored: 0, quarantined: { bad_line: 1 }, lines: [1] }),
  object('a byte order mark at each line', `${BOM}${sound()}\n${BOM}${sound()}\n`, oneBadOfTwo(2)),
  object('half a byte order mark', Buffer.concat([Buffer.from([0xef, 0xbb]), Buffer.from(`${sound()}\n${sound()}`)]), oneBadOfTwo(1)),
  object('a last line that is cut inside a character', Buffer.concat([Buffer.from(`${sound()}\n{"icao24":"`), Buffer.from([0xf0, 0x9f])]), oneBadOfTwo(2)),
];

function oneBadOfTwo(line: number): Expected {
  return { read: 2, stored: 1, quarantined: { bad_line: 1 }, lines: [line] };
}
