import { mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Longer than any attempt may take: what is older belonged to a process that was killed. */
const ABANDONED_MS = 24 * 60 * 60_000;

/** A folder for one chunk, gone when `work` has ended however it ended; those of killed processes are removed on the way. */
export async function withScratch<T>(workDir: string, nowMs: number, work: (dir: string) => Promise<T>): Promise<T> {
  await mkdir(workDir, { recursive: true });
  await removeAbandoned(workDir, nowMs);
  const dir = await mkdtemp(join(workDir, 'chunk-'));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function removeAbandoned(workDir: string, nowMs: number): Promise<void> {
  for (const name of await readdir(workDir)) {
    const path = join(workDir, name);
    // Another activity of this worker may have removed it meanwhile.
    const info = await stat(path).catch(() => undefined);
    if (info !== undefined && info.mtimeMs < nowMs - ABANDONED_MS) await rm(path, { recursive: true, force: true });
  }
}
