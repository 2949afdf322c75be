import type { CycleRef } from './cycle';

/** Asked for by the workflow `rollback`. */
export interface RollbackRequest {
  readonly pipeline: string;
  /** The relation whose version `to` names; absent: the pipeline's first. */
  readonly relation?: string;
  /** A version that is kept; absent: what was served before. */
  readonly to?: number;
  readonly by: string;
  readonly reason: string;
  /** Default true: no cycle promotes over the rollback until it is released. */
  readonly hold?: boolean;
}

/** What a rollback will do, as the ledger stood when it was planned. */
export interface RollbackPlan {
  readonly pipeline: string;
  /** Sequence of the promotion that is served. */
  readonly latest: number;
  /** Sequence of the promotion whose versions come back, and the cycle that made them. */
  readonly restored: number;
  readonly cycle: CycleRef;
  readonly targets: readonly RollbackTarget[];
  /** RFC 3339: when the last of the tables had been loaded. */
  readonly loadedAt: string;
}

export interface RollbackTarget {
  readonly relation: string;
  readonly view: string;
  readonly from: number;
  readonly version: number;
  readonly table: string;
  readonly rows: number;
}

/** What the workflow `rollback` returns. */
export interface RollbackReport {
  readonly plan: RollbackPlan;
  readonly sequence: number;
  readonly promotedMs: number;
  readonly attempts: number;
  readonly held: boolean;
}
