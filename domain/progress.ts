import type { Step } from './announcement';
import type { CycleOutcome, CycleRef, Stage } from './cycle';
import type { Decision } from './decision';
import type { RecordCounts } from './documents';
import type { RefreshSummary } from './refresh';
import type { RerunPlan } from './rerun';
import type { SparkUsage } from './spark-usage';

/** One line of the stage table that the Web UI, `cycles show` and `run` print. */
export interface StageProgress {
  readonly stage: Stage;
  readonly state: 'waiting' | 'running' | 'done' | 'skipped' | 'failed';
  /** Workflow time, epoch milliseconds. */
  readonly startedAtMs?: number;
  readonly finishedAtMs?: number;
  /** One sentence with the stage's counts, or what it waits for. */
  readonly detail?: string;
}

/** Answer of the workflow query `progress`. */
export interface CycleProgress {
  readonly pipeline: string;
  readonly intervalStart: string;
  readonly intervalEnd: string;
  readonly generation?: number;
  readonly outcome?: CycleOutcome;
  readonly stages: readonly StageProgress[];
  /** What a person may do next, once it has ended or waits for a decision. */
  readonly next?: readonly Step[];
}

export interface RuleOutcome {
  readonly step: 'added' | 'served';
  readonly rule: string;
  readonly result: 'PASS' | 'FAIL' | 'ERROR';
  readonly message?: string;
}

export interface ServedRelation {
  readonly relation: string;
  readonly view: string;
  readonly version: number;
  readonly table: string;
  readonly rows: number;
}

/** What `etlCycle` returns: counts and references only. */
export interface CycleReport {
  readonly cycle: CycleRef;
  readonly workflowId: string;
  readonly outcome: CycleOutcome;
  /** Why, for every outcome but `promoted`. */
  readonly reason?: string;
  readonly objectCount: number;
  readonly records?: RecordCounts;
  /** Relations that were promoted by this cycle; empty otherwise. */
  readonly served: readonly ServedRelation[];
  readonly rules: readonly RuleOutcome[];
  /** What was said of it while its gate held it. */
  readonly decision?: Decision;
  /** What it was run again from, where it was. */
  readonly rerun?: RerunPlan;
  /** How much of what is served it made anew, where its pipeline is refreshed by day. */
  readonly refresh?: Omit<RefreshSummary, 'kept'>;
  readonly promotion?: { readonly sequence: number; readonly promotedMs: number; readonly attempts: number; readonly snapshotWaitMs: number };
  readonly stages: readonly StageProgress[];
  readonly jobRunId?: string;
  /** What that job is billed by. */
  readonly spark?: SparkUsage;
}
