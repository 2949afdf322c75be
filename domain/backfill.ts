import type { CycleOutcome } from './cycle';
import type { DataInterval } from './data-interval';

/** Input of the workflow `backfill`. */
export interface BackfillInput {
  readonly pipeline: string;
  /** RFC 3339, both ends of intervals of the pipeline: the intervals within `[from, to)` are looked at. */
  readonly from: string;
  readonly to: string;
  /** Also intervals that have promoted, were empty or were rejected; absent: only the gaps. */
  readonly all?: boolean;
  /** Cycles at once, 1 to `MOST_AT_ONCE`; 1 unless said. They take turns, so more only overlaps what comes before the turn. */
  readonly concurrency?: number;
  /** Who asked for it. */
  readonly by?: string;
}

/** More would be a mistake in a date, or years of hours: several backfills can do them. */
export const MOST_INTERVALS = 5_000;
export const MOST_AT_ONCE = 5;

/** One backfill at a time of a pipeline: its workflow id sees to it. */
export function backfillWorkflowId(pipeline: string): string {
  return `backfill/${pipeline}`;
}

/** What the record says of an interval: the outcome that counts, `running` while a generation is open, `missing` without any. */
export type IntervalState = CycleOutcome | 'running' | 'missing';

/**
 * Of the outcomes of an interval's generations, oldest first, null for an open one: loaded stays loaded, whatever failed before or
 * since, and what a rejected one set aside waits for a person, however often the rest was tried again.
 */
export function intervalState(outcomes: readonly (CycleOutcome | null)[]): IntervalState {
  for (const state of ['promoted', 'empty'] as const) if (outcomes.includes(state)) return state;
  if (outcomes.includes(null)) return 'running';
  if (outcomes.includes('rejected')) return 'rejected';
  return outcomes.at(-1) ?? 'missing';
}

export interface DueInterval extends DataInterval {
  readonly state: IntervalState;
}

export interface BackfillPlan {
  /** Oldest first. */
  readonly due: readonly DueInterval[];
  /** How many intervals of the range are in each state. */
  readonly states: Readonly<Partial<Record<IntervalState, number>>>;
  /** Ends of rejected intervals that are not due: `rerun` or `discard` settles them. */
  readonly needDecision: readonly string[];
}

/**
 * Which intervals a backfill runs: those that neither promoted nor were empty. An open one is due as well: it is waited for, or, when
 * its execution has ended without closing, run again.
 * @param all - every interval of the range
 */
export function planIntervals(intervals: readonly DataInterval[], states: ReadonlyMap<string, IntervalState>, all: boolean): BackfillPlan {
  const due: DueInterval[] = [];
  const counts: Partial<Record<IntervalState, number>> = {};
  const needDecision: string[] = [];
  for (const interval of intervals) {
    const state = states.get(interval.end) ?? 'missing';
    counts[state] = (counts[state] ?? 0) + 1;
    if (isDue(state, all)) due.push({ ...interval, state });
    else if (state === 'rejected') needDecision.push(interval.end);
  }
  return { due, states: counts, needDecision };
}

/** Whether a backfill runs an interval of that state. */
export function isDue(state: IntervalState, all: boolean): boolean {
  return all || !(state === 'promoted' || state === 'empty' || state === 'rejected');
}
