import { compactInstant } from './data-interval';

/** One execution of a pipeline's interval. Everything that a cycle makes is keyed by this, see docs/ARCHITECTURE.md. */
export interface CycleRef {
  readonly pipeline: string;
  readonly dataset: string;
  readonly intervalStart: string;
  readonly intervalEnd: string;
  /** Raised by a new workflow execution or a stage deliberately run again, never by an activity's retry. Starts at 1. */
  readonly generation: number;
}

/** What a cycle came to. `failed` and `cancelled` leave nothing behind; `blocked` keeps its candidate. */
export const CycleOutcome = {
  Promoted: 'promoted',
  Empty: 'empty',
  Rejected: 'rejected',
  Blocked: 'blocked',
  Failed: 'failed',
  Cancelled: 'cancelled',
} as const;
export type CycleOutcome = (typeof CycleOutcome)[keyof typeof CycleOutcome];

/** `low`: other cycles of the dataset go first, as a backfill's do. */
export type CyclePriority = 'low';

/** The stages in the order in which they run. */
export const STAGES = ['resolve', 'turn', 'discover', 'dedup', 'transform', 'check', 'load', 'promote', 'publish'] as const;
/** A dry run's: it publishes nothing, compares what it made, and keeps it for a while. */
export const DRY_RUN_STAGES = ['resolve', 'turn', 'discover', 'dedup', 'transform', 'check', 'load', 'promote', 'diff', 'keep'] as const;
export type Stage = (typeof STAGES)[number] | (typeof DRY_RUN_STAGES)[number];

/** `etl/<pipeline>`: the id of a pipeline's Schedule, and the base of the ids of what it starts. */
export function scheduleId(pipeline: string): string {
  return `etl/${pipeline}`;
}

/** `etl/<pipeline>-<interval end>`: what a Schedule with base id `etl/<pipeline>` names the executions it starts. */
export function cycleWorkflowId(pipeline: string, intervalEnd: string): string {
  return `${scheduleId(pipeline)}-${intervalEnd}`;
}

/** `mobile-geolocation/20180802T000000Z`: a cycle in any generation. Also the lineage value on served rows. */
export function cycleId(cycle: Pick<CycleRef, 'pipeline' | 'intervalEnd'>): string {
  return `${cycle.pipeline}/${compactInstant(cycle.intervalEnd)}`;
}

/** `mobile-geolocation/20180802T000000Z/g0001`: the S3 prefix, without a trailing slash, of one generation's documents. */
export function generationPrefix(cycle: CycleRef): string {
  return `${cycleId(cycle)}/g${String(cycle.generation).padStart(4, '0')}`;
}
