import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const MAX_BYTES = 8 * 1024 ** 3; // some 500 million fingerprints
/** Files that somebody touched this recently may be under a query at this moment. */
const IN_USE_MS = 60 * 60_000;

/**
 * Segments that this worker has read, on disk as Parquet. A segment never changes, so a file by its name is right for ever: a
 * warm worker reads from DynamoDB only what is new. The least recently used files go first.
 */
export class SegmentCache {
  constructor(
    private readonly dir: string,
    private readonly maxBytes = MAX_BYTES,
  ) {}

  /** The file of a segment, whether it is there or not. `name` is the attempt and the number within it. */
  pathOf(dataset: string, eventDate: string, name: string): string {
    // Not `.parquet` alone: such files of earlier releases have one column, and nobody touches them until they are trimmed.
    return join(this.dir, dataset, eventDate, `${name}.halves.parquet`);
  }

  /** True when the file is there; it then counts as used now. */
  async touch(path: string): Promise<boolean> {
    const now = new Date();
    return utimes(path, now, now).then(
      () => true,
      () => false,
    );
  }

  /** Writes a file whole or not at all. */
  async write(path: string, content: Uint8Array): Promise<void> {
    await this.fill(path, (partial) => writeFile(partial, content));
  }

  /** Has `write` make the file under a temporary name, then gives it its own. */
  async fill(path: string, write: (partial: string) => Promise<void>): Promise<void> {
    await mkdir(dirname(path), { recursive: true });
    const partial = `${path}.${randomUUID()}.partial`;
    try {
      await write(partial);
      await rename(partial, path);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
  }

  /** Removes the least recently used files beyond the size limit. */
  async trim(nowMs: number): Promise<void> {
    const files = await filesBelow(this.dir);
    let sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    for (const file of files.sort((a, b) => a.usedMs - b.usedMs)) {
      if (sizeBytes <= this.maxBytes || file.usedMs > nowMs - IN_USE_MS) return;
      await rm(file.path, { force: true });
      sizeBytes -= file.sizeBytes;
    }
  }
}

async function filesBelow(dir: string): Promise<{ path: string; sizeBytes: number; usedMs: number }[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => []);
  const found = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        // Another activity may have trimmed it meanwhile.
        const info = await stat(path).catch(() => undefined);
        return info === undefined ? undefined : { path, sizeBytes: info.size, usedMs: info.mtimeMs };
      }),
  );
  return found.filter((file) => file !== undefined);
}
