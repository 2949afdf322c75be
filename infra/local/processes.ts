import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identify, isRunning, processesMarked, type ProcessIdentity } from './process-identity';
import { StackError } from './stack-error';

/** A background process of the stack. */
export interface ProcessSpec {
  /** Names the pid file `<home>/run/<name>.json` and the log `<home>/logs/<name>.log`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Who runs it, where that is not the present user. */
  readonly account?: { readonly uid: number; readonly gid: number };
  /** Asks for an orderly end. */
  readonly stopSignal: 'SIGTERM' | 'SIGINT';
  /** How long that may take before it is killed; 30 seconds unless said. */
  readonly graceMs?: number;
  /** Kept in the pid file: what the process was started with, for whoever finds it running. */
  readonly settings?: Readonly<Record<string, string | number>>;
}

/** What a pid file says. */
export interface ProcessRecord extends ProcessIdentity {
  readonly name: string;
  readonly stopSignal: 'SIGTERM' | 'SIGINT';
  readonly graceMs?: number;
  readonly startedAt: string;
  readonly settings: Readonly<Record<string, string | number>>;
}

/** Every process of the stack carries this variable, by which `down` finds what a crashed parent left behind. */
const MARK = 'MERIDIAN_STACK_PROCESS';
const GRACE_MS = 30_000;

/**
 * Starts a process that outlives this one, in a process group of its own, its output appended to its log.
 * Safe to run twice by `name`: a running one is returned as it is.
 */
export async function startProcess(home: string, spec: ProcessSpec): Promise<ProcessRecord> {
  const known = findProcess(home, spec.name);
  if (known !== undefined) return known;
  // What a dead one left behind would work on, unattended, beside its successor.
  await endLeftovers(home, spec.name);
  mkdirSync(join(home, 'run'), { recursive: true });
  const log = openLog(home, spec.name);
  try {
    const child = spawn(spec.command, spec.args, {
      cwd: spec.cwd,
      env: { ...spec.env, [MARK]: markOf(home, spec.name) },
      detached: true,
      stdio: ['ignore', log, log],
      ...spec.account,
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (error) => reject(new StackError(`Cannot start ${spec.name} (${spec.command}): ${error.message}`)));
    });
    child.unref();
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (identity === undefined) throw endedAtOnce(home, spec.name);
    const record: ProcessRecord = {
      ...identity,
      name: spec.name,
      stopSignal: spec.stopSignal,
      ...(spec.graceMs === undefined ? {} : { graceMs: spec.graceMs }),
      startedAt: new Date().toISOString(),
      settings: spec.settings ?? {},
    };
    const path = pidFile(home, spec.name);
    writeFileSync(`${path}.new`, JSON.stringify(record));
    renameSync(`${path}.new`, path);
    return record;
  } finally {
    closeSync(log);
  }
}

/** The process of that name when it runs; a pid file whose process is gone counts for nothing. */
export function findProcess(home: string, name: string): ProcessRecord | undefined {
  const record = readRecord(home, name);
  return record !== undefined && isRunning(record) ? record : undefined;
}

/** Names of all processes that were started in this home and not stopped since, running or not. */
export function knownProcesses(home: string): readonly string[] {
  try {
    return readdirSync(join(home, 'run'))
      .filter((file) => file.endsWith('.json'))
      .map((file) => file.slice(0, -'.json'.length));
  } catch {
    return [];
  }
}

/**
 * Waits until `ready` answers true.
 * @throws StackError with the end of its log when the process ends first, or when `timeoutMs` have passed
 */
export async function waitUntilReady(home: string, record: ProcessRecord, ready: () => Promise<boolean>, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await ready())) {
    if (!isRunning(record)) throw endedAtOnce(home, record.name);
    if (Date.now() > deadline) {
      throw new StackError(`${record.name} did not answer within ${timeoutMs / 1_000} seconds. End of its log:\n${tailOfLog(home, record.name)}`);
    }
    await sleep(100);
  }
}

/**
 * Ends a process and all that it started: its stop signal first, SIGKILL after its grace, or `graceMs`. Safe to run twice.
 * @returns false when nothing of that name ran
 */
export async function stopProcess(home: string, name: string, graceMs?: number): Promise<boolean> {
  const record = readRecord(home, name);
  const running = record !== undefined && isRunning(record);
  if (running) {
    // The process alone: its children end by its hand, in its order.
    signal(record.pid, record.stopSignal);
    await waitForEnd([record], graceMs ?? record.graceMs ?? GRACE_MS);
    if (isRunning(record)) signal(-record.pid, 'SIGKILL');
    await waitForEnd([record], 5_000);
  }
  const left = await endLeftovers(home, name);
  rmSync(pidFile(home, name), { force: true });
  return running || left > 0;
}

/** The last lines of a process's log. */
export function tailOfLog(home: string, name: string, lines = 15): string {
  try {
    return readFileSync(logFile(home, name), 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '(no log)';
  }
}

/** Where a process's output goes. */
export function logFile(home: string, name: string): string {
  return join(home, 'logs', `${name}.log`);
}

/** Ends what still runs of a process that is gone: its children, by the mark that they inherited. */
async function endLeftovers(home: string, name: string): Promise<number> {
  const leftovers = processesMarked(MARK, markOf(home, name));
  for (const { pid } of leftovers) signal(pid, 'SIGTERM');
  await waitForEnd(leftovers, 3_000);
  for (const { pid } of leftovers.filter(isRunning)) signal(pid, 'SIGKILL');
  await waitForEnd(leftovers, 5_000);
  return leftovers.length;
}

function openLog(home: string, name: string): number {
  mkdirSync(join(home, 'logs'), { recursive: true });
  return openSync(logFile(home, name), 'a', 0o600);
}

function pidFile(home: string, name: string): string {
  return join(home, 'run', `${name}.json`);
}

function markOf(home: string, name: string): string {
  return `${home}#${name}`;
}

function readRecord(home: string, name: string): ProcessRecord | undefined {
  try {
    return JSON.parse(readFileSync(pidFile(home, name), 'utf8')) as ProcessRecord;
  } catch {
    return undefined;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function waitForEnd(processes: readonly ProcessIdentity[], timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (processes.some(isRunning) && Date.now() < deadline) await sleep(50);
}

function endedAtOnce(home: string, name: string): StackError {
  return new StackError(`${name} ended while it was starting. End of its log (${logFile(home, name)}):\n${tailOfLog(home, name)}`);
}
