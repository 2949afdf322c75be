import type { CycleRef } from './cycle';
import type { RecordCounts } from './documents';
import type { RuleOutcome } from './progress';
import type { QualityStep } from './ruleset';

/** Stages that a closed cycle can be run again from; what comes before them is reused by reference. */
export const RERUN_STAGES = ['discover', 'transform', 'check', 'load'] as const;
export type RerunStage = (typeof RERUN_STAGES)[number];

/** Asked for with a new execution of a cycle. */
export interface RerunRequest {
  readonly from: RerunStage;
  readonly by: string;
  readonly reason: string;
}

/** What a rerun builds on, found once and kept with the cycle's record. */
export interface RerunPlan extends RerunRequest {
  /** The newest earlier generation, and the execution whose history tells of it. */
  readonly ofGeneration: number;
  readonly ofRunId: string;
  /** The generation whose chunks hold the cycle's records; absent when they are read again. */
  readonly data?: CycleRef;
  /** The generation whose transform output is reused. */
  readonly output?: CycleRef;
}

/** The results of the stages that are not run again; nothing where the objects are read again. */
export interface ReusedResults {
  readonly records?: RecordCounts;
  /** With `load`: what the gate had said. */
  readonly gate?: { readonly rules: readonly RuleOutcome[]; readonly rowCounts: Readonly<Record<QualityStep, number>> };
}

/** What `rerun` without a stage does: the cycle's records are stored, or are to be read again. */
export function usualRerunStage(outcome: string | null): RerunStage {
  return outcome === 'promoted' || outcome === 'blocked' ? 'transform' : 'discover';
}
