import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Kysely } from 'kysely';
import { type BackfillPlan, type IntervalState, planIntervals } from '../domain/backfill';
import { backfillIntervals } from '../domain/backfill-range';
import type { DataInterval } from '../domain/data-interval';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { medianCycleMs, readIntervalStates } from '../sql/queries/interval-states';
import type { Database } from '../sql/schema';
import { askUntil } from './ask-until';

export interface BackfillDependencies {
  readonly db: Kysely<Database>;
  /** True when Temporal knows the newest execution of that id as closed, or no more at all. */
  readonly isExecutionClosed: (workflowId: string) => Promise<boolean>;
}

export interface PlanBackfillInput {
  readonly spec: PipelineSpec;
  readonly from: string;
  readonly to: string;
  readonly all: boolean;
  /** RFC 3339: an interval must have closed by then. */
  readonly at: string;
}

/** A first page of what is due, and the counts of the whole range. */
export interface BackfillPage extends Pick<BackfillPlan, 'states'> {
  readonly due: readonly DataInterval[];
  readonly dueCount: number;
  readonly needDecision: { readonly count: number; readonly first: readonly string[] };
  /** Median of the pipeline's recorded promoted cycles, milliseconds; absent without any. */
  readonly medianMs?: number;
}

export interface IntervalInput {
  readonly pipeline: string;
  readonly interval: DataInterval;
}

export interface AwaitCycleEndInput extends IntervalInput {
  readonly workflowId: string;
  /** 24 hours unless said. */
  readonly waitSeconds?: number;
}

/** What one execution of the workflow runs: each interval makes some twelve events, and 10,000 are many. */
const PAGE = 400;
const NAMED = 50;
const DEFAULT_WAIT_SECONDS = 24 * 3_600;

/** Activities that find what a backfill has to run. */
export function createBackfillActivities({ db, isExecutionClosed }: BackfillDependencies) {
  return {
    /**
     * Which intervals of a range are due, oldest first, at most a page of them. Idempotent: reads only.
     * @throws `InvalidInterval`, not retryable, for a range that the pipeline does not have or that has not closed
     */
    async planBackfill({ spec, from, to, all, at }: PlanBackfillInput): Promise<BackfillPage> {
      const intervals = intervalsOf(spec, { from, to }, at);
      const plan = planIntervals(intervals, await readIntervalStates(db, { pipeline: spec.name, from, to }), all);
      const medianMs = await medianCycleMs(db, spec.name);
      return {
        due: plan.due.slice(0, PAGE).map(({ start, end }) => ({ start, end })),
        dueCount: plan.due.length,
        states: plan.states,
        needDecision: { count: plan.needDecision.length, first: plan.needDecision.slice(0, NAMED) },
        ...(medianMs === undefined ? {} : { medianMs }),
      };
    },

    /** What the record says of an interval. Idempotent: reads only. */
    async readInterval(input: IntervalInput): Promise<{ readonly state: IntervalState }> {
      return { state: await stateOf(db, input) };
    },

    /**
     * Waits, heartbeating, until the newest execution of a cycle is closed. Idempotent: reads only.
     * @returns what the record says of its interval; `running` when the execution outlasts `waitSeconds`
     */
    async awaitCycleEnd({ workflowId, waitSeconds = DEFAULT_WAIT_SECONDS, ...input }: AwaitCycleEndInput): Promise<{ readonly state: IntervalState }> {
      const { startedMs = Date.now() } = (Context.current().info.heartbeatDetails ?? {}) as { readonly startedMs?: number };
      const state = await askUntil<IntervalState>(async () => {
        if (await isExecutionClosed(workflowId)) return await stateOf(db, input);
        return Date.now() - startedMs > waitSeconds * 1_000 ? 'running' : undefined;
      }, { startedMs });
      return { state };
    },
  };
}
export type BackfillActivities = ReturnType<typeof createBackfillActivities>;

async function stateOf(db: Kysely<Database>, { pipeline, interval }: IntervalInput): Promise<IntervalState> {
  const states = await readIntervalStates(db, { pipeline, from: interval.start, to: interval.end });
  return states.get(interval.end) ?? 'missing';
}

function intervalsOf(spec: PipelineSpec, range: { readonly from: string; readonly to: string }, at: string): readonly DataInterval[] {
  try {
    return backfillIntervals(spec, range, new Date(at));
  } catch (error) {
    throw ApplicationFailure.nonRetryable(
      `${error instanceof Error ? error.message : String(error)} [pipeline=${spec.name}]`,
      FailureType.InvalidInterval,
    );
  }
}
