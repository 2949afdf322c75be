import { inflateRawSync } from 'node:zlib';

const END_OF_CENTRAL_DIRECTORY = 0x06054b50;
const CENTRAL_ENTRY = 0x02014b50;
const LOCAL_HEADER = 0x04034b50;
const DEFLATED = 8;
const STORED = 0;

/**
 * The bytes of one member of a zip archive.
 * @throws Error that names the archive and the member when it is no zip, has no such member, or is damaged
 */
export function zipMember(archive: Buffer, member: string, archiveName: string): Buffer {
  let at = centralDirectoryOffset(archive, archiveName);
  while (at + 46 <= archive.length && archive.readUInt32LE(at) === CENTRAL_ENTRY) {
    const nameLength = archive.readUInt16LE(at + 28);
    const name = archive.toString('utf8', at + 46, at + 46 + nameLength);
    if (name === member) {
      const [method, packedBytes, sizeBytes] = [archive.readUInt16LE(at + 10), archive.readUInt32LE(at + 20), archive.readUInt32LE(at + 24)];
      const header = archive.readUInt32LE(at + 42);
      if (archive.readUInt32LE(header) !== LOCAL_HEADER) throw damaged(archiveName, member, 'it has no local header');
      // The local header repeats the name and extra field with lengths of its own.
      const start = header + 30 + archive.readUInt16LE(header + 26) + archive.readUInt16LE(header + 28);
      const packed = archive.subarray(start, start + packedBytes);
      if (method !== STORED && method !== DEFLATED) throw damaged(archiveName, member, `its compression method is ${method}, expected 0 or 8`);
      const bytes = method === STORED ? packed : inflateRawSync(packed);
      if (bytes.length !== sizeBytes) throw damaged(archiveName, member, `it has ${bytes.length} bytes, expected ${sizeBytes}`);
      return bytes;
    }
    at += 46 + nameLength + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32);
  }
  throw new Error(`${archiveName} has no member "${member}": expected the package's sample files. Delete the archive and run again`);
}

function centralDirectoryOffset(archive: Buffer, archiveName: string): number {
  const earliest = Math.max(0, archive.length - 22 - 0xffff);
  for (let at = archive.length - 22; at >= earliest; at -= 1) {
    if (archive.readUInt32LE(at) === END_OF_CENTRAL_DIRECTORY) return archive.readUInt32LE(at + 16);
  }
  throw new Error(`${archiveName} (${archive.length} bytes) is no zip archive. Delete it and run again: it is fetched anew`);
}

function damaged(archiveName: string, member: string, what: string): Error {
  return new Error(`Member "${member}" of ${archiveName} is damaged: ${what}. Delete the archive and run again`);
}
