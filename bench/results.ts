import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { ROOT } from './checkout';
import { loadNow, type Usage } from './measure';

/** One number of a benchmark, held against its limit where it has one. */
export interface Result {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** Null: told, not held. */
  readonly limit: number | null;
  readonly bound: Bound | null;
  /** Value by limit. */
  readonly ratio: number | null;
  readonly holds: boolean | null;
}
export type Bound = 'at most' | 'at least';

/** One benchmark's run, as a line of `bench/results.jsonl`. */
export interface RecordedRun extends Usage {
  readonly bench: string;
  readonly size: 'quick' | 'full';
  /** With `+` where the checkout had changes of its own. */
  readonly commit: string;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly machine: { readonly cores: number; readonly memoryMb: number; readonly node: string };
  /** The machine's load average of a minute, before and after. */
  readonly load: readonly [number, number];
  readonly results: readonly Result[];
}

const RESULTS = join(__dirname, 'results.jsonl');

/** A number without a limit: what it was, for whoever compares. */
export function told(name: string, value: number, unit: string): Result {
  return { name, value: rounded(value), unit, limit: null, bound: null, ratio: null, holds: null };
}

/** A number that must stay on one side of its limit; one that could not be measured does not hold. */
export function held(name: string, value: number, unit: string, bound: Bound, limit: number): Result {
  const ratio = limit === 0 && value === 0 ? 1 : value / limit;
  return { name, value: rounded(value), unit, limit, bound, ratio: rounded(ratio), holds: bound === 'at most' ? value <= limit : value >= limit };
}

export function machine(): RecordedRun['machine'] {
  return { cores: loadNow().cores, memoryMb: Math.round(totalmem() / 1024 ** 2), node: process.version };
}

/** The commit that is measured; what the benchmarks write themselves is no change of it. */
export function presentCommit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--', '.', ':!bench/results.jsonl', ':!docs/performance.md', ':!docs/performance');
  return `${git('rev-parse', '--short=12', 'HEAD')}${changed === '' ? '' : '+'}`;
}

export function recordRun(run: RecordedRun): void {
  appendFileSync(RESULTS, `${JSON.stringify(run)}\n`);
}

export function recordedRuns(): readonly RecordedRun[] {
  if (!existsSync(RESULTS)) return [];
  return readFileSync(RESULTS, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as RecordedRun);
}

/** Four digits are more than a shared machine repeats. */
function rounded(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : value;
}
