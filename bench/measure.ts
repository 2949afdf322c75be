import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { performance } from 'node:perf_hooks';

/** What a stretch of work took; CPU and memory are of the processes that were watched, their children included. */
export interface Usage {
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** The highest resident memory of each root, together; undefined where the kernel does not tell. */
  readonly peakMb: number | undefined;
}

/** The last minute's running processes: above 1 a core others were at work too, and times say less than ratios do. */
export function loadNow(): { readonly load: number; readonly cores: number } {
  return { load: loadavg()[0] ?? 0, cores: availableParallelism() };
}

/** Ticks of `/proc/<pid>/stat`: USER_HZ is 100 on every Linux that Node runs on. */
const TICKS_A_SECOND = 100;

interface ProcessTimes {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
}

/** The fields of one `/proc/<pid>/stat`: a command's name may hold spaces and brackets, so they count from its last bracket. */
export function parseStat(pid: number, stat: string): ProcessTimes {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // state ppid … utime stime cutime cstime are fields 3, 4, 14 to 17 of proc(5): what was waited for counts in its parent.
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return { pid, parent: Number(fields[1]), ticks };
}

/** CPU seconds, user and system, that these processes and all below them have had so far. */
export function cpuSecondsOf(roots: readonly number[]): number {
  return ticksBelow(allProcesses(), roots) / TICKS_A_SECOND;
}

function allProcesses(): readonly ProcessTimes[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      return [parseStat(Number(name), readFileSync(`/proc/${name}/stat`, 'utf8'))];
    } catch {
      return []; // ended meanwhile: its parent has its times now
    }
  });
}

/** Sums every process once, however many roots it is below. */
export function ticksBelow(all: readonly ProcessTimes[], roots: readonly number[]): number {
  return below(all, roots).reduce((sum, { ticks }) => sum + ticks, 0);
}

function below(all: readonly ProcessTimes[], roots: readonly number[]): readonly ProcessTimes[] {
  const wanted = new Set(roots);
  for (let grown = true; grown; ) {
    const children = all.filter(({ pid, parent }) => !wanted.has(pid) && wanted.has(parent));
    for (const { pid } of children) wanted.add(pid);
    grown = children.length > 0;
  }
  return all.filter(({ pid }) => wanted.has(pid));
}

/** Memory that these processes and all below them have at this moment, in MB; what several share counts once. */
export function memoryMbOf(roots: readonly number[]): number {
  return below(allProcesses(), roots).reduce((sum, { pid }) => {
    try {
      return sum + Number(/^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0) / 1_024;
    } catch {
      return sum; // ended meanwhile
    }
  }, 0);
}

/** Measures `body` by the clock, and by what the kernel says of the processes `roots`. */
export async function measured<T>(roots: readonly number[], body: () => Promise<T>): Promise<{ readonly result: T; readonly usage: Usage }> {
  for (const pid of roots) forgetPeak(pid);
  const cpuBefore = cpuSecondsOf(roots);
  const startedAt = performance.now();
  const result = await body();
  const seconds = (performance.now() - startedAt) / 1_000;
  return { result, usage: { seconds, cpuSeconds: cpuSecondsOf(roots) - cpuBefore, peakMb: peakMbOf(roots) } };
}

/** One stretch after another. */
export function combined(usages: readonly Usage[]): Usage {
  const peaks = usages.flatMap(({ peakMb }) => (peakMb === undefined ? [] : [peakMb]));
  return {
    seconds: usages.reduce((sum, { seconds }) => sum + seconds, 0),
    cpuSeconds: usages.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0),
    peakMb: peaks.length === 0 ? undefined : Math.max(...peaks),
  };
}

/** The highest resident memory since it was last forgotten, the roots' together. */
export function peakMbOf(roots: readonly number[]): number | undefined {
  const peaks = roots.map((pid) => {
    try {
      return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? NaN) / 1_024;
    } catch {
      return NaN;
    }
  });
  const sum = peaks.reduce((total, peak) => total + peak, 0);
  return Number.isNaN(sum) ? undefined : sum;
}

/** Lets the kernel count a process's peak memory from now on. */
function forgetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // Not permitted here: then the peak is that of the process's whole life, which is no less.
  }
}

/** The middle of them, or of the middle two. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Between its neighbours in proportion; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const [low = NaN, high = low] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}
