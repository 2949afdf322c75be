import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { allBadLines, allStored, NOTHING, object, type PoisonEntry, sound, UNREADABLE } from './entry';

const records = (count: number) => Array.from({ length: count }, () => `${sound()}\n`).join('');
const gz = (name: string, body: PoisonEntry['body'], expected = UNREADABLE) => object(`gzip: ${name}`, body, expected, '.json.gz');
const HEADER_BYTES = 10;
const READ_BLOCK_BYTES = 256 * 1024;

/** A gzip with a header of one's own: flags, and what stands between header and data. */
function withHeader(flags: number, extra: Buffer, text = records(2)): Buffer {
  const plain = gzipSync(text);
  const header = Buffer.from(plain.subarray(0, HEADER_BYTES));
  header[3] = flags;
  return Buffer.concat([header, extra, plain.subarray(HEADER_BYTES)]);
}

/** A gzip of exactly `sizeBytes`, filled up by comments in its header. */
function ofSize(text: string, sizeBytes: number): Buffer {
  const room = sizeBytes - gzipSync(text).length - 1;
  return withHeader(0x10, Buffer.concat([Buffer.alloc(room, 'c'), Buffer.from([0])]), text);
}

function changed(body: Buffer, at: number, change: (byte: number) => number): Buffer {
  const copy = Buffer.from(body);
  const index = at < 0 ? copy.length + at : at;
  copy[index] = change(copy[index] ?? 0) & 0xff;
  return copy;
}

/** A header of tar as every tar writes it, around one file. */
function tar(text: string): Buffer {
  const header = Buffer.alloc(512);
  header.write('a.json');
  header.write('0000644\0', 100);
  header.write(`${text.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('ustar\x0000', 257);
  return Buffer.concat([header, Buffer.from(text), Buffer.alloc(1_536 - (text.length % 512))]);
}

const CUTS: readonly PoisonEntry[] = [
  ['after its first byte', 1],
  ['after its magic', 2],
  ['inside its header', 7],
  ['after its header', HEADER_BYTES],
  ['one byte into its data', HEADER_BYTES + 1],
].map(([where, at]) => gz(`cut ${where}`, gzipSync(records(50)).subarray(0, Number(at))));

const TAILS: readonly PoisonEntry[] = [
  ['in the middle of its data', 0.5],
  ['near the end of its data', 0.95],
].map(([where, share]) => {
  const whole = gzipSync(records(2_000));
  return gz(`cut ${where}`, whole.subarray(0, Math.floor(whole.length * Number(share))));
});

/** A gzip that is cut, fails its checksum, or has anything but zeros behind it, is unreadable as a whole (docs/decisions/0003, 0012). */
export const gzips: readonly PoisonEntry[] = [
  ...CUTS,
  ...TAILS,
  gz('cut before its checksum', gzipSync(records(3)).subarray(0, -8)),
  gz('cut inside its checksum', gzipSync(records(3)).subarray(0, -6)),
  gz('cut before its length', gzipSync(records(3)).subarray(0, -4)),
  gz('cut by its last byte', gzipSync(records(3)).subarray(0, -1)),
  gz('a wrong checksum', changed(gzipSync(records(3)), -8, (byte) => byte ^ 1)),
  gz('a wrong length', changed(gzipSync(records(3)), -1, (byte) => byte ^ 1)),
  gz('a wrong second byte of its magic', changed(gzipSync(records(3)), 1, () => 0x8c)),
  gz('an unknown method', changed(gzipSync(records(3)), 2, () => 9)),
  gz('reserved flags', changed(gzipSync(records(3)), 3, () => 0xe0)),
  gz('a flag for a name that never ends', changed(gzipSync(records(3)), 3, () => 0x08)),
  gz('a flag for an extra field that is not there', changed(gzipSync(records(3)), 3, () => 0x04)),
  gz('a checksum of the header that is wrong', withHeader(0x02, Buffer.from([0xde, 0xad]))),
  gz('an unknown block type', changed(gzipSync(records(3)), HEADER_BYTES, (byte) => byte | 0x06)),
  gz('one bit of its data flipped', changed(gzipSync(records(500)), 500, (byte) => byte ^ 0x10)),
  gz('a file name in its header', withHeader(0x08, Buffer.from('../../etc/passwd\0')), allStored(2)),
  gz('a comment in its header', withHeader(0x10, Buffer.from('; drop table record\0')), allStored(2)),
  gz('an extra field in its header', withHeader(0x04, Buffer.from([4, 0, 1, 2, 3, 4])), allStored(2)),
  gz('stored, not compressed', gzipSync(records(3), { level: 0 }), allStored(3)),
  gz('of nothing', gzipSync(''), NOTHING),
  gz('of line feeds', gzipSync('\n\n\n'), NOTHING),
  gz('an empty object that is named so', Buffer.alloc(0), NOTHING),
  gz('two members', Buffer.concat([gzipSync(records(2)), gzipSync(records(3))]), allStored(5)),
  gz('a hundred members', Buffer.concat(Array.from({ length: 100 }, () => gzipSync(records(1)))), allStored(100)),
  gz('members that cut a line in two', Buffer.concat([gzipSync(records(1) + sound().slice(0, 20)), gzipSync(`\n${sound()}`)]), {
    read: 3, stored: 2, quarantined: { bad_line: 1 }, lines: [2],
  }),
  gz('an empty member between two', Buffer.concat([gzipSync(records(1)), gzipSync(''), gzipSync(records(1))]), allStored(2)),
  gz('a second member that is cut', Buffer.concat([gzipSync(records(2)), gzipSync(records(3)).subarray(0, -5)])),
  gz('a second member that is cut in its header', Buffer.concat([gzipSync(records(2)), gzipSync(records(3)).subarray(0, 5)])),
  gz('a second member that is cut after one byte', Buffer.concat([gzipSync(records(2)), Buffer.from([0x1f])])),
  gz('a second member with a wrong checksum', Buffer.concat([gzipSync(records(2)), changed(gzipSync(records(3)), -8, (byte) => byte ^ 1)])),
  gz('a second member whose magic is damaged', Buffer.concat([gzipSync(records(2)), changed(gzipSync(records(3)), 0, () => 0x1e)])),
  gz('a member that ends with a read block, and another', Buffer.concat([ofSize(records(2), READ_BLOCK_BYTES), gzipSync(records(3))]), allStored(5)),
  gz('a member that ends with a read block, and garbage', Buffer.concat([ofSize(records(2), READ_BLOCK_BYTES), Buffer.from('garbage')])),
  gz('a member that ends with a read block, and a cut one', Buffer.concat([ofSize(records(2), READ_BLOCK_BYTES), gzipSync(records(3)).subarray(0, -3)])),
  gz('a member that ends a byte before a read block, and another', Buffer.concat([ofSize(records(2), READ_BLOCK_BYTES - 1), gzipSync(records(3))]), allStored(5)),
  gz('zeros behind it, as tapes and blocks pad', Buffer.concat([gzipSync(records(2)), Buffer.alloc(512)]), allStored(2)),
  gz('zeros behind it over a read block', Buffer.concat([gzipSync(records(2)), Buffer.alloc(READ_BLOCK_BYTES + 512)]), allStored(2)),
  gz('a text behind it', Buffer.concat([gzipSync(records(2)), Buffer.from(records(1))])),
  gz('zeros and another member behind it', Buffer.concat([gzipSync(records(2)), Buffer.alloc(512), gzipSync(records(3))])),
  gz('zeros and another member in the next read block', Buffer.concat([gzipSync(records(2)), Buffer.alloc(READ_BLOCK_BYTES), gzipSync(records(3))])),
  gz('zeros and garbage behind it', Buffer.concat([gzipSync(records(2)), Buffer.alloc(64), Buffer.from('garbage')])),
  gz('plain text under its name', Buffer.from(records(2))),
  gz('Zstandard under its name', Buffer.from('28b52ffd2000010000', 'hex')),
  gz('bzip2 under its name', Buffer.from('425a6839314159265359', 'hex')),
  gz('xz under its name', Buffer.from('fd377a585a000004e6d6b446', 'hex')),
  gz('LZ4 under its name', Buffer.from('04224d186040820000', 'hex')),
  gz('zip under its name', Buffer.from('504b0304140000000800', 'hex')),
  gz('zlib under its name', deflateSync(records(2))),
  gz('raw deflate under its name', deflateRawSync(records(2))),
  gz('Brotli under its name', brotliCompressSync(records(2))),
  gz('compress of Unix under its name', Buffer.from('1f9d90616263', 'hex')),
  gz('one line feed under its name', Buffer.from('\n')),
  wrapped('gzip of a gzip', gzipSync(records(40))),
  wrapped('gzip of a zip', Buffer.from('504b03041400000008000a0d0a', 'hex')),
  object('a gzip that is not named so', gzipSync(records(2)), allStored(2), '.json'),
  object('a gzip named in capitals', gzipSync(records(2)), allStored(2), '.JSON.GZ'),
  object('plain text named in capitals', records(2), allStored(2), '.JSON.GZ'),
  object('the magic of gzip and nothing else, not named so', Buffer.from([0x1f, 0x8b]), UNREADABLE, '.json'),
  object('the first byte of gzip only, not named so', Buffer.from([0x1f]), { read: 1, stored: 0, quarantined: { bad_line: 1 }, lines: [1] }, '.json'),
  object('Zstandard that is not named so', Buffer.from('28b52ffd2000010000', 'hex'), { read: 1, stored: 0, quarantined: { bad_line: 1 }, lines: [1] }, '.json'),
  object('zip that is not named so', Buffer.from('504b0304140000000800', 'hex'), { read: 1, stored: 0, quarantined: { bad_line: 1 }, lines: [1] }, '.json'),
  tarGz(),
  gz('a bomb of line feeds', gzipSync(Buffer.alloc(16_000_000, '\n'), { level: 9 })),
  gz('a bomb in one line', gzipSync(Buffer.alloc(16_000_000, 'x'), { level: 9 })),
  gz('a bomb of tiny records', gzipSync('{}\n'.repeat(5_000_000), { strategy: constants.Z_RLE })),
  gz('a bomb in a second member', Buffer.concat([gzipSync(records(2)), gzipSync(Buffer.alloc(16_000_000), { level: 9 })])),
];

function wrapped(name: string, inner: Buffer): PoisonEntry {
  return gz(name, gzipSync(inner), allBadLines(inner));
}

/** The archive's header runs into the first line, its padding is a last one. */
function tarGz(): PoisonEntry {
  return gz('a tar in it', gzipSync(tar(records(3))), { read: 4, stored: 2, quarantined: { bad_line: 2 }, lines: [1, 4] });
}
