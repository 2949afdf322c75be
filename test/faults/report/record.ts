import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { ScenarioResult } from '../scenario';

/** One scenario that was run, for good: what docs/reliability.md is made from. */
export interface RecordedScenario extends ScenarioResult {
  /** Of the code that it ran on; `+` after it: with changes that were not committed. */
  readonly commit: string;
  /** RFC 3339. */
  readonly at: string;
}

const CHECKOUT = resolve(__dirname, '..', '..', '..');
export const RECORD = resolve(CHECKOUT, 'docs', 'reliability', 'scenarios.jsonl');

export function readRecord(path = RECORD): readonly RecordedScenario[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as RecordedScenario);
}

/** Appends at once, so that a run that is broken off keeps what it has. */
export function appendRecord(result: ScenarioResult, commit: string, path = RECORD): void {
  mkdirSync(dirname(path), { recursive: true });
  const recorded: RecordedScenario = { ...result, commit, at: new Date().toISOString() };
  appendFileSync(path, `${JSON.stringify(recorded)}\n`);
}

export function presentCommit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: CHECKOUT, encoding: 'utf8' }).trim();
  // The record itself grows while a run goes on.
  const changed = git('status', '--porcelain', '--', '.', ':!docs/reliability', ':!docs/reliability.md');
  return `${git('rev-parse', '--short', 'HEAD')}${changed === '' ? '' : '+'}`;
}
