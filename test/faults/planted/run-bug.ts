import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { ScenarioResult } from '../scenario';
import { plant, uproot } from './plant';
import type { PlantedBug } from './planted-bugs';

export interface Verdict {
  readonly bug: string;
  readonly cell: string;
  /** The violation that was expected; undefined: the bug escaped. */
  readonly caughtBy: string | undefined;
  /** All that the scenario reported, or why it could not be run. */
  readonly violations: readonly string[];
  readonly seconds: number;
}

/** Runs a bug's scenario in a copy of the checkout that has the bug, by the copy's own harness. @throws when it cannot be planted */
export async function runBug(bug: PlantedBug): Promise<Verdict> {
  const startedMs = Date.now();
  const folder = plant(bug);
  try {
    const violations = await violationsIn(folder, bug);
    const caughtBy = violations.find((violation) => bug.caughtBy.test(violation));
    return { bug: bug.name, cell: bug.cell, caughtBy, violations, seconds: (Date.now() - startedMs) / 1_000 };
  } finally {
    uproot(folder);
  }
}

async function violationsIn(folder: string, { cell, seed, nightSeconds }: PlantedBug): Promise<readonly string[]> {
  const exactly = `^${cell.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')}$`;
  const args = ['--import', 'tsx', 'test/faults/run.ts', '--no-record', '--json', '--cells', exactly, '--seed', String(seed)];
  const env = { ...process.env, ...(nightSeconds === undefined ? {} : { MERIDIAN_FAULT_NIGHT_SECONDS: String(nightSeconds) }) };
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [said, complained] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const line = said.split('\n').find((each) => each.startsWith('{'));
  if (line === undefined) return [`the harness did not come to a result: ${complained.slice(-2_000)}`];
  const { violations } = JSON.parse(line) as ScenarioResult;
  return violations;
}
