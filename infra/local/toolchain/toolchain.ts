import { mkdirSync, statfsSync } from 'node:fs';
import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Progress } from '../progress';
import { StackError } from '../stack-error';
import { cacheFolder } from './cache';
import { jars } from './jars';
import { java } from './java';
import { postgresServer } from './postgres-server';
import { python } from './python';
import { temporalCli } from './temporal-cli';
import type { Found, Tool } from './tool';

/** Everything that the local stack is made of, the slowest first, so that it is not what one waits for last. */
export const TOOLS = { temporal: temporalCli, python, jars, postgres: postgresServer, java } as const satisfies Record<string, Tool>;
export type ToolName = keyof typeof TOOLS;

const PARALLEL_INSTALLS = 2;
const LOCK_LIMIT_MS = 25 * 60_000;

/** The tools among `names` that this machine lacks. */
export async function missingTools(names: readonly ToolName[]): Promise<readonly Tool[]> {
  const located = await Promise.all(names.map(async (name) => ({ tool: TOOLS[name] as Tool, found: await TOOLS[name].locate() })));
  return located.filter(({ found }) => found === undefined).map(({ tool }) => tool);
}

/**
 * Finds every tool, installing what is missing into the cache, two at a time. Two set-ups at once do not fight: the second waits,
 * then finds what the first has brought. Safe to run twice and after an interruption.
 * @throws StackError of the first tool that cannot be had
 */
export async function ensureToolchain(names: readonly ToolName[], progress: Progress): Promise<Readonly<Record<ToolName, Found>>> {
  if ((await missingTools(names)).length > 0) {
    await withLock(progress, async () => {
      const missing = await missingTools(names);
      if (missing.length === 0) return;
      announce(missing, progress);
      const queue = missing.values();
      const lanes = Array.from({ length: PARALLEL_INSTALLS }, async () => {
        for (const tool of queue) {
          const startedAt = Date.now();
          const found = await tool.install(progress);
          progress.note(`✔ ${tool.title}: ${found.version} (${Math.round((Date.now() - startedAt) / 1_000)} s)`);
        }
      });
      const failed = (await Promise.allSettled(lanes)).find((lane) => lane.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    });
  }
  const found = await Promise.all(names.map(async (name) => [name, await TOOLS[name].locate()] as const));
  for (const [name, each] of found) {
    if (each === undefined) throw new StackError(`${TOOLS[name].title} was installed but cannot be found again: run \`npx meridian doctor\``);
  }
  return Object.fromEntries(found) as Readonly<Record<ToolName, Found>>;
}

function announce(missing: readonly Tool[], progress: Progress): void {
  const total = (pick: (tool: Tool) => number) => missing.reduce((sum, tool) => sum + pick(tool), 0);
  progress.note(
    `To install into ${cacheFolder()}, once: some ${total((tool) => tool.downloadMb)} MB to download, ${total((tool) => tool.diskMb)} MB on disk, ` +
      `${Math.ceil(total((tool) => tool.seconds) / 60)} minutes on 2 cores`,
  );
  for (const tool of missing) progress.note(`  · ${tool.title}`);
  mkdirSync(cacheFolder(), { recursive: true });
  const { bavail, bsize } = statfsSync(cacheFolder());
  const freeMb = (bavail * bsize) / 1024 ** 2;
  // Wheels, archives and build trees are on disk beside what they become.
  const neededMb = total((tool) => tool.diskMb + tool.downloadMb);
  if (freeMb < neededMb) {
    throw new StackError(`${cacheFolder()} has ${Math.floor(freeMb)} MB free, expected ${neededMb}: make room, or set MERIDIAN_CACHE to a folder on another disk`);
  }
}

async function withLock(progress: Progress, body: () => Promise<void>): Promise<void> {
  mkdirSync(cacheFolder(), { recursive: true });
  const path = join(cacheFolder(), 'install.lock');
  const deadline = Date.now() + LOCK_LIMIT_MS;
  let said = false;
  for (;;) {
    try {
      const lock = await open(path, 'wx');
      await lock.writeFile(String(process.pid));
      await lock.close();
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = Number(await readFile(path, 'utf8').catch(() => ''));
    if (holder > 0 && !isAlive(holder)) {
      await rm(path, { force: true });
      continue;
    }
    if (!said) progress.note(`Another set-up (process ${holder}) is installing: waiting for it`);
    said = true;
    if (Date.now() > deadline) throw new StackError(`Another set-up holds ${path} for more than 25 minutes: if no process ${holder} of yours runs, delete that file`);
    await sleep(500);
  }
  try {
    await body();
  } finally {
    await rm(path, { force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
