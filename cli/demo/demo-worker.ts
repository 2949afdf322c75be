import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findProcess, logFile, startProcess, stopProcess, tailOfLog } from '../../infra/local/processes';

const WORKER = 'worker';
const CHECKOUT = resolve(__dirname, '..', '..');
const STOP_GRACE_MS = 25_000; // a little more than the worker gives its activities
const WATCH_MS = 1_000;

/** Ends the worker that an earlier demo left; its code and settings may be older. Safe to run twice. */
export async function stopWorker(home: string): Promise<void> {
  await stopProcess(home, WORKER, STOP_GRACE_MS);
}

/** Starts `meridian worker` as a part of the local stack: it outlives the demo, and `meridian down` stops it. */
export async function startWorker(home: string, env: Readonly<NodeJS.ProcessEnv>): Promise<void> {
  await startProcess(home, {
    name: WORKER,
    command: process.execPath,
    args: [join(CHECKOUT, 'bin', 'meridian.js'), 'worker'],
    env,
    cwd: CHECKOUT,
    stopSignal: 'SIGTERM',
  });
}

/**
 * Never resolves; rejects with the end of its log once the worker is gone.
 * @param signal - ends the watch, which then never settles
 */
export async function watchWorker(home: string, signal: AbortSignal): Promise<never> {
  while (findProcess(home, WORKER) !== undefined) {
    await sleep(WATCH_MS, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return await new Promise<never>(() => undefined);
  }
  throw new Error(`The worker ended while a cycle ran. End of its log (${logFile(home, WORKER)}):\n${tailOfLog(home, WORKER)}`);
}
