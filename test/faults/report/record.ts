import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import type { ScenarioResult } from '../scenario';
import type { SoakSummary } from '../soak';
import type { StormSummary } from '../storm/summary';
import { appendJsonLine, readJsonLines } from './json-lines';

interface Run {
  /** Of the code that it ran on; `+` after it: with changes that were not committed. */
  readonly commit: string;
  /** RFC 3339. */
  readonly at: string;
}
/** One scenario that was run, for good: what docs/reliability.md is made from. */
export type RecordedScenario = ScenarioResult & Run;
export type RecordedStorm = StormSummary & Run;
export type RecordedSoak = SoakSummary & Run;

const CHECKOUT = resolve(__dirname, '..', '..', '..');
/** Where the record and its page's picture are. */
export const RECORD_FOLDER = join(CHECKOUT, 'docs', 'reliability');
const SCENARIOS = join(RECORD_FOLDER, 'scenarios.jsonl');
const STORMS = join(RECORD_FOLDER, 'storms.jsonl');
const SOAKS = join(RECORD_FOLDER, 'soaks.jsonl');

export function recordedScenarios(): readonly RecordedScenario[] {
  return readJsonLines(SCENARIOS);
}

/** Of each cell and seed what it came to last, and what it had come to before it was mended. */
export function latestOf(record: readonly RecordedScenario[]): { readonly latest: readonly RecordedScenario[]; readonly mended: readonly RecordedScenario[] } {
  const byName = new Map<string, RecordedScenario>();
  for (const each of record) byName.set(`${each.cell}#${each.seed}`, each);
  const latest = [...byName.values()];
  return { latest, mended: record.filter((each) => each.violations.length > 0 && !latest.includes(each)) };
}

export function recordScenario(result: ScenarioResult, commit: string): void {
  appendJsonLine(SCENARIOS, { ...result, commit, at: new Date().toISOString() } satisfies RecordedScenario);
}

export function recordedStorms(): readonly RecordedStorm[] {
  return readJsonLines(STORMS);
}

export function recordStorm(summary: StormSummary): void {
  appendJsonLine(STORMS, { ...summary, commit: presentCommit(), at: new Date().toISOString() } satisfies RecordedStorm);
}

export function recordedSoaks(): readonly RecordedSoak[] {
  return readJsonLines(SOAKS);
}

export function recordSoak(summary: SoakSummary): void {
  appendJsonLine(SOAKS, { ...summary, commit: presentCommit(), at: new Date().toISOString() } satisfies RecordedSoak);
}

export function presentCommit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: CHECKOUT, encoding: 'utf8' }).trim();
  // The record itself grows while a run goes on.
  const changed = git('status', '--porcelain', '--untracked-files=no', '--', '.', ':!docs/reliability', ':!docs/reliability.md');
  return `${git('rev-parse', '--short', 'HEAD')}${changed === '' ? '' : '+'}`;
}
