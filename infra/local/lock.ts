import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, isRunning, type ProcessIdentity } from './process-identity';
import { StackError } from './stack-error';

export interface LockOptions {
  /** The lock's file; its folder is made. */
  readonly path: string;
  readonly waitMs: number;
  /** Called once, when somebody else holds it. */
  readonly onWait: (holder: ProcessIdentity) => void;
}

const POLL_MS = 200;

/**
 * Runs `body` while no other process runs one under the same lock. A holder that died, by whatever end, holds nothing.
 * @throws StackError when another process still holds it after `waitMs`
 */
export async function withLock<T>({ path, waitMs, onWait }: LockOptions, body: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  const deadline = Date.now() + waitMs;
  let said = false;
  for (let holder = take(path); holder !== undefined; holder = take(path)) {
    if (!said) onWait(holder);
    said = true;
    if (Date.now() > deadline) {
      throw new StackError(`Process ${holder.pid} still holds ${path} after ${Math.round(waitMs / 1_000)} seconds: wait for it, or end it and run this again`);
    }
    await sleep(POLL_MS);
  }
  try {
    return await body();
  } finally {
    release(path);
  }
}

/** Gives a lock of this process back; another's stays. */
export function release(path: string): void {
  if (holderOf(path)?.pid === process.pid) rmSync(path, { force: true });
}

/** Takes the lock, or says who holds it. A link appears with its content, so a lock without a holder is never seen. */
function take(path: string): ProcessIdentity | undefined {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, JSON.stringify(identify(process.pid)));
  try {
    for (;;) {
      try {
        linkSync(own, path);
        return undefined;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
      const holder = holderOf(path);
      if (holder !== undefined && isRunning(holder)) return holder;
      discard(path);
    }
  } finally {
    rmSync(own, { force: true });
  }
}

/** Of two that find the same dead holder one could remove the other's fresh lock: what was moved away is looked at once more. */
function discard(path: string): void {
  const moved = `${path}.dead-${process.pid}`;
  try {
    renameSync(path, moved);
  } catch {
    return;
  }
  const holder = holderOf(moved);
  if (holder !== undefined && isRunning(holder)) {
    try {
      linkSync(moved, path);
    } catch {
      // A third took it meanwhile: there is nothing left to give back.
    }
  }
  rmSync(moved, { force: true });
}

function holderOf(path: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined;
  }
}
