import { recordedRuns, type RecordedRun } from '../results';
import { shownRuns } from '../page';

/** What one unit of work takes, and how that is known. */
export interface UnitCost {
  readonly value: number;
  readonly unit: string;
  /** `measured: …` names benchmark, size and day; `assumed: …` says why. */
  readonly known: string;
}

/** Reads the last recorded numbers of the benchmarks. */
export class Measured {
  constructor(private readonly runs: readonly RecordedRun[] = recordedRuns()) {}

  /** A benchmark's number by its name, the last that fits: of the largest input. `otherwise` until it was measured once. */
  cost(bench: string, named: RegExp, unit: string, otherwise: UnitCost): UnitCost {
    const run = shownRuns(this.runs, bench).at(-1);
    const found = run?.results.findLast(({ name }) => named.test(name));
    if (run === undefined || found === undefined) return otherwise;
    return { value: found.value, unit, known: `measured: \`${found.name}\`, ${run.size} size, ${run.startedAt.slice(0, 10)}` };
  }
}

export function assumed(value: number, unit: string, why: string): UnitCost {
  return { value, unit, known: `assumed: ${why}` };
}
