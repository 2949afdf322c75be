import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const MAX_BYTES = 8 * 1024 ** 3; // some 500 million fingerprints
/** Files that somebody touched this recently may be under a query at this moment. */
const IN_USE_MS = 60 * 60_000;
/** Well within that: every chunk of a night asks for the same files. */
const TOUCHED_ANEW_MS = IN_USE_MS / 6;

/**
 * Fingerprints that this worker has read, on disk, sixteen bytes each as the ledger has them: a file for each attempt and date. They never
 * change, so a file by its name is right for ever: a warm worker reads from DynamoDB only what is new. The least recently used files go first.
 */
export class SegmentCache {
  constructor(
    private readonly dir: string,
    private readonly maxBytes = MAX_BYTES,
  ) {}

  /** The file of what an attempt stored for a date, whether it is there or not. */
  pathOf(dataset: string, eventDate: string, attempt: string): string {
    // Earlier releases have left Parquet files, which nobody touches until they are trimmed.
    return join(this.dir, dataset, eventDate, `${attempt}.fingerprints`);
  }

  /** True when the file is there and whole; it then counts as used now. A machine that lost its power leaves files that are empty or cut. */
  async touch(path: string, sizeBytes: number): Promise<boolean> {
    const now = new Date();
    const info = await stat(path).catch(() => undefined);
    if (info?.size !== sizeBytes) return false;
    if (now.getTime() - info.mtimeMs < TOUCHED_ANEW_MS) return true;
    return utimes(path, now, now).then(
      () => true,
      () => false,
    );
  }

  /**
   * Has `write` make the file under a temporary name, then gives it its own.
   * @returns false, and leaves nothing, when it did not become as long as it must be
   */
  async fill(path: string, sizeBytes: number, write: (file: FileHandle) => Promise<void>): Promise<boolean> {
    await mkdir(dirname(path), { recursive: true });
    const partial = `${path}.${randomUUID()}.partial`;
    let isWhole = false;
    try {
      isWhole = await written(partial, sizeBytes, write);
      if (isWhole) await rename(partial, path);
    } finally {
      if (!isWhole) await rm(partial, { force: true });
    }
    return isWhole;
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

async function written(path: string, sizeBytes: number, write: (file: FileHandle) => Promise<void>): Promise<boolean> {
  const file = await open(path, 'wx');
  try {
    await write(file);
    return (await file.stat()).size === sizeBytes;
  } finally {
    await file.close();
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
