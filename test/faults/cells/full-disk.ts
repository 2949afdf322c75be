import { execFile } from 'node:child_process';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Fault, Scene } from './scene';

const run = promisify(execFile);
const SIZE = '32m';
const BLOCK = Buffer.alloc(256 * 1024);
/** Long enough for several tries on a full disk. */
const FULL_MS = 6_000;

/** The worker's scratch disk is full for a while: a small tmpfs, filled to the last byte once the worker runs. */
export const fullDisk: Fault = {
  id: 'disk full for a while',
  outcomes: ['promoted'],
  arm: async (scene) => {
    const { lab, beside, night } = scene;
    const folder = join(lab.engines.home, 'small-disk');
    await mkdir(folder, { recursive: true });
    await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', folder]);
    await lab.workers.restart({ workDir: join(folder, 'work') });
    const filler = join(folder, 'filler');
    const filled = await fill(filler);
    beside(emptied(scene, filler));
    beside(
      night
        .then((handle) => handle.result())
        .catch(() => undefined)
        .then(() => lab.workers.restart())
        .then(() => run('umount', [folder])),
    );
    return () => (filled > 0 ? 1 : 0);
  },
};

async function fill(path: string): Promise<number> {
  const file = await open(path, 'w');
  let sizeBytes = 0;
  try {
    for (;;) sizeBytes += (await file.write(BLOCK)).bytesWritten;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    return sizeBytes;
  } finally {
    await file.close();
  }
}

async function emptied({ night }: Scene, filler: string): Promise<void> {
  await night;
  await new Promise((resolve) => setTimeout(resolve, FULL_MS));
  await rm(filler);
}
