import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

/** A process that cannot be mistaken for another: ids are used again, an id with its start time is not. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot on Linux, a date elsewhere: only ever compared for equality. */
  readonly startTime: string;
}

/** The identity of a process that runs now; undefined for none, and for a zombie, which can do no harm. */
export function identify(pid: number): ProcessIdentity | undefined {
  return process.platform === 'linux' ? identifyByProc(pid) : identifyByPs(pid);
}

/** True while that very process runs. */
export function isRunning(known: ProcessIdentity): boolean {
  return identify(known.pid)?.startTime === known.startTime;
}

/**
 * Processes that were started with `name=value` in their environment, children and grandchildren included.
 * Empty where the system does not show it (only Linux does).
 */
export function processesMarked(name: string, value: string): readonly ProcessIdentity[] {
  if (process.platform !== 'linux') return [];
  const wanted = `${name}=${value}`;
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .filter((entry) => readOrEmpty(`/proc/${entry}/environ`).split('\0').includes(wanted))
    .map((entry) => identify(Number(entry)))
    .filter((found) => found !== undefined);
}

function identifyByProc(pid: number): ProcessIdentity | undefined {
  const stat = readOrEmpty(`/proc/${pid}/stat`);
  // The command, in parentheses, may hold spaces and parentheses itself: fields are counted from its last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  return startTime === undefined || state === 'Z' || state === 'X' ? undefined : { pid, startTime };
}

function identifyByPs(pid: number): ProcessIdentity | undefined {
  try {
    const [state, ...started] = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' })
      .trim()
      .split(/\s+/);
    return state === undefined || state === '' || state.startsWith('Z') ? undefined : { pid, startTime: started.join(' ') };
  } catch {
    return undefined;
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
