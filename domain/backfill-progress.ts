import type { CycleOutcome } from './cycle';

/** Where a backfill stands. `stopped`: too many in a row came to nothing, or it was paused for too long. */
export type BackfillState = 'planning' | 'running' | 'paused' | 'done' | 'stopped' | 'cancelled';

export interface RunningInterval {
  readonly intervalEnd: string;
  readonly workflowId: string;
  /** Workflow time, epoch milliseconds. */
  readonly sinceMs: number;
  /** Not started by the backfill: a nightly or a person's run had it first, and is waited for. */
  readonly another: boolean;
}

export interface ConcludedInterval {
  readonly intervalEnd: string;
  readonly outcome: CycleOutcome;
  /** Why, for every outcome but `promoted`. */
  readonly reason?: string;
}

/** Answer of the workflow query `backfillProgress`, and what the workflow returns. */
export interface BackfillProgress {
  readonly pipeline: string;
  readonly from: string;
  readonly to: string;
  readonly all: boolean;
  readonly concurrency: number;
  readonly by?: string;
  readonly state: BackfillState;
  /** Why it is paused or stopped. */
  readonly why?: string;
  /** Intervals that are or were due. */
  readonly total: number;
  readonly outcomes: Readonly<Record<CycleOutcome, number>>;
  /** Were no longer due when it came to them. */
  readonly settledMeanwhile: number;
  readonly left: number;
  readonly running: readonly RunningInterval[];
  /** The first of those that neither promoted nor were empty. */
  readonly notLoaded: readonly ConcludedInterval[];
  /** Rejected intervals of the range that it does not run; the first of them by their ends. */
  readonly needDecision: { readonly count: number; readonly first: readonly string[] };
  readonly startedAtMs: number;
  /** Of a cycle's duration in milliseconds: the mean of this backfill's, before that the median on record; absent without any. */
  readonly cycleMs?: number;
  /** Epoch milliseconds; absent when nothing is known of a cycle's duration, or nothing is left. */
  readonly estimatedEndMs?: number;
}

/** How many intervals came to neither promotion nor emptiness. */
export function notLoadedCount(outcomes: BackfillProgress['outcomes']): number {
  return outcomes.rejected + outcomes.blocked + outcomes.failed + outcomes.cancelled;
}

/** How long `count` cycles take, in milliseconds, `concurrency` at a time. */
export function remainingMs(cycleMs: number, count: number, concurrency: number): number {
  return Math.round((cycleMs * count) / concurrency);
}
