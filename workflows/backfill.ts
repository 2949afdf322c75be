import {
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { type BackfillInput, backfillWorkflowId, isDue, MOST_AT_ONCE } from '../domain/backfill';
import type { BackfillProgress, ConcludedInterval } from '../domain/backfill-progress';
import { cycleDetails } from '../domain/cycle-details';
import { CycleOutcome, cycleWorkflowId } from '../domain/cycle';
import { type DataInterval, toRfc3339 } from '../domain/data-interval';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { pureLookup, shortStep, waitStep } from './activity-options';
import { autoUpgrade } from './auto-upgrade';
import { BackfillBoard, type CarriedBackfill } from './backfill-board';
import { describedActivities, expectHeartbeatsWithin } from './described-activities';
import { etlCycle } from './etl-cycle';
import { rootMessage } from './root-message';
import { pipelineAttribute } from './search-attributes';

/** What an execution is given that goes on where another's history grew long. */
interface ContinuedBackfill extends BackfillInput {
  readonly carried?: CarriedBackfill;
}

/** Where a backfill stands. */
export const backfillProgressQuery = defineQuery<BackfillProgress>('backfillProgress');

/** Starts no further cycle until `resume`; what runs goes on. */
export const pauseSignal = defineSignal<[{ readonly by?: string; readonly reason?: string }?]>('pause');
export const resumeSignal = defineSignal('resume');

const { resolvePipeline } = describedActivities(pureLookup);
const short = describedActivities(shortStep);
const wait = describedActivities(waitStep);

/** So many in a row point to what they have in common: the next would fail as well. */
const MOST_NOT_LOADED_IN_A_ROW = 3;
const LONGEST_PAUSE = '30 days';
/** Temporal's lowest; 3 is what everything else has. */
const LOWEST_PRIORITY = 5;

/**
 * Runs the cycles of the intervals within `[from, to)` that are not loaded, oldest first, each under its own id and with low
 * priority. One at a time of a pipeline, by its workflow id. A cycle that is not loaded ends no backfill: it is counted and named.
 * @throws `InvalidInterval`, `BackfillRefused` before anything ran; `BackfillStopped` when several in a row were not loaded
 */
export async function backfill(input: ContinuedBackfill): Promise<BackfillProgress> {
  const { carried } = input;
  const workflowId = backfillWorkflowId(input.pipeline);
  if (workflowInfo().workflowId !== workflowId) return delegate(workflowId, input);

  const board = new BackfillBoard(input, carried, workflowInfo().startTime.getTime());
  setHandler(backfillProgressQuery, () => board.progress, { description: 'counts of its intervals, what runs, what was not loaded' });
  setHandler(pauseSignal, ({ by, reason } = {}) => board.pause(`paused${by === undefined ? '' : ` by ${by}`}${reason === undefined ? '' : `: ${reason}`}`), {
    description: 'starts no further cycle; {"by":"<who>","reason":"<why>"}, both optional',
  });
  setHandler(resumeSignal, () => board.resume(), { description: 'goes on after a pause' });
  upsertSearchAttributes([{ key: pipelineAttribute, value: input.pipeline }]);
  refuseConcurrency(input);

  const at = toRfc3339(new Date(carried?.startedAtMs ?? workflowInfo().startTime.getTime()));
  const { spec } = await resolvePipeline({ pipeline: input.pipeline, startedAt: at });
  expectHeartbeatsWithin(spec.heartbeatSeconds);
  const page = await short.planBackfill({ spec, from: input.from, to: input.to, all: input.all ?? false, at });
  board.planned(page);
  const run = new BackfillRun(spec, input, board, page.due);
  try {
    await run.toEnd();
  } catch (error) {
    if (isCancellation(error)) board.end('cancelled');
    else board.end('stopped', rootMessage(error));
    throw error;
  }
  const from = run.continuesFrom(page.dueCount);
  if (from !== undefined) return continueAsNew<typeof backfill>({ ...input, from, carried: board.handedOn });
  board.end('done');
  return board.progress;
}

autoUpgrade(backfill);

/** The cycles of one page, `concurrency` at a time. */
class BackfillRun {
  private next = 0;
  private stop: Error | undefined;

  constructor(
    private readonly spec: PipelineSpec,
    private readonly input: BackfillInput,
    private readonly board: BackfillBoard,
    private readonly due: readonly DataInterval[],
  ) {}

  /** Where a new execution takes over, when this one's history is long or its page was not all. */
  continuesFrom(dueCount: number): string | undefined {
    if (this.next < this.due.length) return this.due[this.next]?.start;
    return this.due.length < dueCount ? this.due.at(-1)?.end : undefined;
  }

  /** @throws when it is cancelled or stopped; by then no cycle that it started is running */
  async toEnd(): Promise<void> {
    const runners = Array.from({ length: this.input.concurrency ?? 1 }, () => this.runOneByOne());
    await Promise.all(runners);
    if (this.stop !== undefined) throw this.stop;
  }

  private async runOneByOne(): Promise<void> {
    for (let interval = await this.take(); interval !== undefined; interval = await this.take()) {
      try {
        await this.runInterval(interval);
      } catch (error) {
        this.stop ??= error as Error;
      }
    }
  }

  /** Nothing more is taken after a reason to stop, or when this history has grown long. */
  private async take(): Promise<DataInterval | undefined> {
    if (this.hasNext && this.board.paused) await this.untilResumed();
    return this.hasNext ? this.due[this.next++] : undefined;
  }

  private get hasNext(): boolean {
    return this.stop === undefined && !workflowInfo().continueAsNewSuggested && this.next < this.due.length;
  }

  private async untilResumed(): Promise<void> {
    if (await condition(() => !this.board.paused, LONGEST_PAUSE, { summary: 'paused until the signal "resume"' })) return;
    this.stop ??= ApplicationFailure.nonRetryable(`The backfill was paused for ${LONGEST_PAUSE}: start it again, it runs what is left`, FailureType.BackfillStopped);
  }

  private async runInterval(interval: DataInterval): Promise<void> {
    // A nightly or a person may have run it since the plan was made.
    const { state } = await short.readInterval({ pipeline: this.spec.name, interval });
    if (!isDue(state, this.input.all ?? false)) return this.board.settledMeanwhile();
    const workflowId = cycleWorkflowId(this.spec.name, interval.end);
    this.board.begin(interval.end, workflowId);
    const inARow = this.board.conclude(await this.outcomeOf(interval, workflowId));
    if (inARow >= MOST_NOT_LOADED_IN_A_ROW) {
      this.stop ??= ApplicationFailure.nonRetryable(
        `${inARow} cycles in a row were not loaded, the last one is ${workflowId}: see \`meridian cycles show ${this.spec.name} ${interval.end}\`, ` +
          'mend what they have in common, and start the backfill again: it runs what is left',
        FailureType.BackfillStopped,
      );
    }
  }

  private async outcomeOf(interval: DataInterval, workflowId: string): Promise<ConcludedInterval> {
    const intervalEnd = interval.end;
    try {
      const { outcome, reason } = await executeChild(etlCycle, {
        workflowId,
        args: [{ pipeline: this.spec.name, intervalEnd, priority: 'low' }],
        parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
        priority: { priorityKey: LOWEST_PRIORITY },
        staticSummary: `${this.spec.name} until ${intervalEnd}, backfill`,
        staticDetails: cycleDetails(this.spec, intervalEnd),
      });
      return { intervalEnd, outcome, ...(reason === undefined ? {} : { reason }) };
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return this.outcomeOfAnother(interval, workflowId);
      if (!isCancellation(error)) return { intervalEnd, outcome: CycleOutcome.Failed, reason: rootMessage(error) };
      // Only this cycle was cancelled, by somebody else.
      if (!CancellationScope.current().consideredCancelled) return { intervalEnd, outcome: CycleOutcome.Cancelled, reason: rootMessage(error) };
      throw error;
    }
  }

  private async outcomeOfAnother(interval: DataInterval, workflowId: string): Promise<ConcludedInterval> {
    this.board.waitsForAnother(interval.end);
    const { state } = await wait.awaitCycleEnd({ workflowId, pipeline: this.spec.name, interval });
    if (state !== 'running' && state !== 'missing') return { intervalEnd: interval.end, outcome: state };
    return { intervalEnd: interval.end, outcome: CycleOutcome.Failed, reason: `${workflowId}, which somebody else started, has not closed` };
  }
}

function refuseConcurrency({ concurrency = 1 }: BackfillInput): void {
  if (Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= MOST_AT_ONCE) return;
  throw ApplicationFailure.nonRetryable(`concurrency: expected 1 to ${MOST_AT_ONCE} cycles at once, found ${concurrency}`, FailureType.BackfillRefused);
}

/** A start under another id runs the backfill under its own, so that two of one pipeline exclude each other. */
async function delegate(workflowId: string, input: BackfillInput): Promise<BackfillProgress> {
  try {
    return await executeChild(backfill, { workflowId, args: [input], parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    throw ApplicationFailure.nonRetryable(
      `${workflowId} is already running, one at a time of a pipeline: \`temporal workflow query --workflow-id ${workflowId} --type backfillProgress\` shows ` +
        `its range, \`temporal workflow cancel --workflow-id ${workflowId}\` ends it`,
      FailureType.BackfillRefused,
    );
  }
}
