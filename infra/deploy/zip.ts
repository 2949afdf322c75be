import { crc32, deflateRawSync } from 'node:zlib';

/** One file of an archive. */
export interface ZipEntry {
  /** Relative, with `/`. */
  readonly name: string;
  readonly content: Buffer;
}

const VERSION = 20; // 2.0: folders and deflate
const UTF8_NAMES = 0x0800;
const DEFLATE = 8;
const FIRST_DAY = 0x0021; // 1980-01-01, the earliest that the format has: bytes depend on content alone

/** A zip archive of a few small files, the same bytes for the same entries. @see PKWARE APPNOTE.TXT 4.3 */
export function zip(entries: readonly ZipEntry[]): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content } of entries) {
    const packed = deflateRawSync(content, { level: 9 });
    const nameBytes = Buffer.from(name, 'utf8');
    const common = Buffer.alloc(26);
    common.writeUInt16LE(VERSION, 0);
    common.writeUInt16LE(UTF8_NAMES, 2);
    common.writeUInt16LE(DEFLATE, 4);
    common.writeUInt16LE(0, 6); // midnight
    common.writeUInt16LE(FIRST_DAY, 8);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(nameBytes.length, 22);

    const entry = Buffer.alloc(14); // comment length, disk, attributes: all zero
    entry.writeUInt32LE(offset, 10);
    directory.push(signature(0x02014b50), uint16(VERSION), common, entry, nameBytes);
    const file = [signature(0x04034b50), common, nameBytes, packed];
    files.push(...file);
    offset += file.reduce((sum, part) => sum + part.length, 0);
  }
  const directorySize = directory.reduce((sum, part) => sum + part.length, 0);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(directorySize, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...files, ...directory, signature(0x06054b50), end]);
}

function signature(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}
