import { mkdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { release, withLock } from '../lock';
import type { Progress } from '../progress';
import { StackError } from '../stack-error';
import { cacheFolder, removePartialFolders } from './cache';
import { CommandFailed, endRunningCommands } from './command';
import type { Found, Tool } from './tool';

const PARALLEL_INSTALLS = 2;
const ATTEMPTS = 2;
const LOCK_LIMIT_MS = 40 * 60_000;
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/**
 * Brings what is missing of `tools` into the cache, two at a time. Two set-ups at once do not fight: the second waits, then finds
 * what the first has brought. Safe to run twice and after an interruption: a tool is there whole or not at all.
 * @returns every tool by its name
 * @throws StackError of the first tool that cannot be had; what others have brought by then stays
 */
export async function installTools(tools: readonly Tool[], progress: Progress): Promise<ReadonlyMap<string, Found>> {
  const found = await locateAll(tools);
  if (found.size === tools.length) return found;
  const path = join(cacheFolder(), 'install.lock');
  const onWait = ({ pid }: { readonly pid: number }) => progress.note(`Another set-up (process ${pid}) is installing: waiting for it`);
  return await withLock({ path, waitMs: LOCK_LIMIT_MS, onWait }, async () => {
    const present = new Map(await locateAll(tools));
    const missing = tools.filter(({ name }) => !present.has(name));
    if (missing.length === 0) return present;
    removePartialFolders();
    announce(missing, progress);
    const stopListening = endWithSignals(path);
    try {
      for (const [name, tool] of await installAll(missing, progress)) present.set(name, tool);
    } finally {
      stopListening();
    }
    return present;
  });
}

async function locateAll(tools: readonly Tool[]): Promise<ReadonlyMap<string, Found>> {
  const located = await Promise.all(tools.map(async (tool) => [tool.name, await tool.locate()] as const));
  return new Map(located.flatMap(([name, found]) => (found === undefined ? [] : [[name, found] as const])));
}

async function installAll(missing: readonly Tool[], progress: Progress): Promise<ReadonlyMap<string, Found>> {
  const installed = new Map<string, Found>();
  const failures: unknown[] = [];
  const waiting = [...missing];
  const running = new Map<string, Promise<void>>();
  const install = async (tool: Tool) => {
    const startedAt = Date.now();
    try {
      const found = await installWithRetry(tool, progress);
      installed.set(tool.name, found);
      progress.note(`✔ ${tool.title}: ${found.version} (${Math.round((Date.now() - startedAt) / 1_000)} s)`);
    } catch (error) {
      failures.push(error);
      if (running.size > 1) progress.note(`✘ ${tool.title} cannot be had; what is being installed beside it is finished first`);
    } finally {
      running.delete(tool.name);
    }
  };
  for (;;) {
    // What runs beside a failure is let finish, since it stays; nothing new is begun.
    while (failures.length === 0 && running.size < PARALLEL_INSTALLS) {
      const unfinished = new Set([...running.keys(), ...waiting.map(({ name }) => name)]);
      const next = waiting.findIndex(({ after = [] }) => !after.some((name) => unfinished.has(name)));
      const [tool] = next === -1 ? [] : waiting.splice(next, 1);
      if (tool === undefined) break;
      running.set(tool.name, install(tool));
    }
    if (running.size === 0) break;
    await Promise.race(running.values());
  }
  if (failures.length > 0) throw failures[0];
  return installed;
}

async function installWithRetry(tool: Tool, progress: Progress): Promise<Found> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await tool.install(progress);
    } catch (error) {
      if (!(error instanceof CommandFailed) || attempt === ATTEMPTS) throw error;
      progress.note(`${tool.title}: ${error.message}\nTrying once more, from where it broke`);
    }
  }
}

function announce(missing: readonly Tool[], progress: Progress): void {
  const total = (pick: (tool: Tool) => number) => missing.reduce((sum, tool) => sum + pick(tool), 0);
  mkdirSync(cacheFolder(), { recursive: true });
  const { bavail, bsize } = statfsSync(cacheFolder());
  const freeMb = Math.floor((bavail * bsize) / 1024 ** 2);
  progress.note(
    `Missing on this machine, to be installed once: some ${total((tool) => tool.downloadMb)} MB to download, ${total((tool) => tool.diskMb)} MB on disk ` +
      `(${cacheFolder()} has ${freeMb} MB free), ${Math.ceil(total((tool) => tool.seconds) / 60)} minutes on 2 cores`,
  );
  for (const tool of missing) progress.note(`  · ${tool.title}, ${tool.downloadMb} MB`);
  // Archives and build trees are on disk beside what they become.
  const neededMb = total((tool) => tool.diskMb + tool.downloadMb);
  if (freeMb < neededMb) {
    throw new StackError(`${cacheFolder()} has ${freeMb} MB free, expected ${neededMb}: make room, or set MERIDIAN_CACHE to a folder on another disk`);
  }
}

/** Installers run in groups of their own, which a terminal's Ctrl-C does not reach: this passes it on and clears up. */
function endWithSignals(lockPath: string): () => void {
  const handlers = Object.entries(SIGNALS).map(([signal, exitCode]) => {
    const handler = () => {
      endRunningCommands();
      removePartialFolders();
      release(lockPath);
      process.exit(exitCode);
    };
    process.once(signal, handler);
    return () => process.removeListener(signal, handler);
  });
  return () => handlers.forEach((remove) => remove());
}
