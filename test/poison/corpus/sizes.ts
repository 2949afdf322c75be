import { gzipSync } from 'node:zlib';
import { allStored, LIMITS, NOTHING, object, type PoisonEntry, sound } from './entry';

const READ_BLOCK_BYTES = 256 * 1024;
/** A sound line of exactly `sizeBytes`. */
const lineOf = (sizeBytes: number, filler = 'x') => {
  const [head, tail] = [sound().slice(0, -1), '"}'];
  const room = sizeBytes - Buffer.byteLength(`${head},"pad":"${tail}`);
  return `${head},"pad":"${filler.repeat(Math.floor(room / Buffer.byteLength(filler)))}${'x'.repeat(room % Buffer.byteLength(filler))}${tail}`;
};
const many = (count: number) => Array.from({ length: count }, () => `${sound()}\n`).join('');
const tooLong = (at: number, stored: number) => ({ read: stored + 1, stored, quarantined: { bad_line: 1 }, lines: [at] });

/** A line may be `maxLineBytes` long, its carriage return not counted; what is longer is a bad line, whatever it holds. */
export const sizes: readonly PoisonEntry[] = [
  object('an object of no bytes', '', NOTHING),
  object('one line feed', '\n', NOTHING),
  object('one space', ' ', NOTHING),
  object('one brace', '{', tooLong(1, 0)),
  object('one digit', '1', tooLong(1, 0)),
  object('a line of the longest length', `${lineOf(LIMITS.maxLineBytes)}\n${sound()}\n`, allStored(2)),
  object('a line of the longest length at the end, without a line feed', `${sound()}\n${lineOf(LIMITS.maxLineBytes)}`, allStored(2)),
  object('a line of the longest length with a carriage return', `${lineOf(LIMITS.maxLineBytes)}\r\n${sound()}\n`, allStored(2)),
  object(
    'a line of the longest length whose carriage return ends a read block',
    `${lineOf(READ_BLOCK_BYTES - 2)}\n${lineOf(LIMITS.maxLineBytes)}\r\n${sound()}\n`,
    allStored(3),
  ),
  object(
    'a line of the longest length whose carriage return ends the object',
    `${lineOf(READ_BLOCK_BYTES - 2)}\n${lineOf(LIMITS.maxLineBytes)}\r`,
    allStored(2),
  ),
  object('a line one byte too long', `${lineOf(LIMITS.maxLineBytes + 1)}\n${sound()}\n`, tooLong(1, 1)),
  object('a line one byte too long at the end', `${sound()}\n${lineOf(LIMITS.maxLineBytes + 1)}`, tooLong(2, 1)),
  object('a line twice too long between two', `${sound()}\n${lineOf(2 * LIMITS.maxLineBytes)}\n${sound()}\n`, tooLong(2, 2)),
  object('a line ten times too long', `${lineOf(10 * LIMITS.maxLineBytes)}\n${sound()}\n`, tooLong(1, 1)),
  object('a long line of characters of four bytes', `${lineOf(2 * LIMITS.maxLineBytes, '🚀')}\n${sound()}\n`, tooLong(1, 1)),
  object('a long line that is no JSON, without a line feed', 'x'.repeat(5_000_000), tooLong(1, 0)),
  object('a long line of bytes that are no text', Buffer.concat([Buffer.alloc(3_000_000, 0xff), Buffer.from(`\n${sound()}`)]), tooLong(1, 1)),
  object('a long line of zeros', Buffer.concat([Buffer.alloc(3_000_000), Buffer.from(`\n${sound()}`)]), tooLong(1, 1)),
  object('a long line of white space', `${' '.repeat(3_000_000)}\n${sound()}`, tooLong(1, 1)),
  object('ten lines of the longest length', Array.from({ length: 10 }, () => lineOf(LIMITS.maxLineBytes)).join('\n'), allStored(10)),
  object('three long lines in a row', `${'x'.repeat(2_000_000)}\n${'y'.repeat(2_000_000)}\n${'z'.repeat(2_000_000)}\n${sound()}`, {
    read: 4, stored: 1, quarantined: { bad_line: 3 }, lines: [1, 2, 3],
  }),
  object('5,000 lines of nothing but braces', '{}\n'.repeat(5_000), { read: 5_000, stored: 0, quarantined: { bad_timestamp: 5_000 } }),
  object('5,000 lines of one character', 'x\n'.repeat(5_000), { read: 5_000, stored: 0, quarantined: { bad_line: 5_000 } }),
  object('5,000 sound lines', gzipSync(many(5_000)), allStored(5_000), '.json.gz'),
  object('200,000 blank lines before a record', `${'\n'.repeat(200_000)}${sound()}`, { ...allStored(1), row: { line: 200_001, values: { device_id: 'abc' } } }),
  object('a read block of blank lines, a record, and another', `${'\n'.repeat(READ_BLOCK_BYTES)}${sound()}\n${'\n'.repeat(READ_BLOCK_BYTES)}`, {
    ...allStored(1), row: { line: READ_BLOCK_BYTES + 1, values: { device_id: 'abc' } },
  }),
  object('a record that a read block cuts', `${' '.repeat(READ_BLOCK_BYTES - 20)}\n${sound()}\n`, allStored(1)),
  object('a text of 1,000,000 characters', `${sound().replace('abc', 'é'.repeat(500_000))}\n`, allStored(1)),
];
