import { Context, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Kysely } from 'kysely';
import { type CycleRef, generationPrefix } from '../domain/cycle';
import { FailureType } from '../domain/failure-type';
import type { JobRef } from '../domain/job-ref';
import {
  closeGeneration,
  type Closing,
  findGenerationOfRun,
  findUnsettled,
  findWaiting,
  insertGeneration,
  isLowPriority,
  mergeCounts,
  type NewGeneration,
  recordEpoch,
  type Waiting,
} from '../sql/queries/cycles';
import { findJob, findOlderOpenJobs, findOpenJobs, insertJob, type JobRecord, type NewJob, updateJobState } from '../sql/queries/jobs';
import { findPromotion } from '../sql/queries/promotions';
import { ensureTurn, freeTurn, readTurn, swapTurn, type Turn } from '../sql/queries/turns';
import type { Database } from '../sql/schema';

export interface CycleDependencies {
  readonly db: Kysely<Database>;
  /** True when Temporal knows that execution as closed, or no more at all. */
  readonly isExecutionClosed: (workflowId: string, runId: string) => Promise<boolean>;
}

export interface TakeTurnInput {
  readonly cycle: CycleRef;
  readonly workflowId: string;
  readonly runId: string;
  /** Default: 24 hours, below the activity's own limit, so that this failure speaks first. */
  readonly waitSeconds?: number;
  /** A low-priority cycle leaves a free turn to one that waits and does not take it for so long; 10 minutes unless said. */
  readonly yieldSeconds?: number;
}

export interface TakenTurn {
  readonly epoch: number;
  /** The oldest that an earlier holder left, or that ended while it waited for the turn; when it is settled and closed, take the turn again for the next, until there is none. */
  readonly unsettled?: { readonly cycle: CycleRef; readonly promoted: boolean; readonly jobs: readonly JobRef[] };
}

const NUMBER_RACES = 20;
const FIRST_POLL_MS = 200;
const SLOWEST_POLL_MS = 5_000; // a nightly does not mind; well inside the heartbeat timeout
const DEFAULT_WAIT_SECONDS = 24 * 3_600;
/** Who waits asks every 5 s, and again soon after its worker was killed: by then something else keeps it from the turn. */
const DEFAULT_YIELD_SECONDS = 600;

/** Activities around the cycle record and the turn of its dataset. */
export function createCycleActivities({ db, isExecutionClosed }: CycleDependencies) {
  return {
    /**
     * Opens a generation of the cycle. Idempotent by (pipeline, interval end, run id): a retry gets the same generation.
     * @returns with it the older generations' jobs that may still be alive, which must be ended and confirmed first (I5)
     */
    async openCycle(input: NewGeneration): Promise<{ readonly cycle: CycleRef; readonly olderJobs: readonly JobRef[] }> {
      for (let race = 0; race < NUMBER_RACES; race += 1) {
        const cycle = (await findGenerationOfRun(db, input)) ?? (await insertGeneration(db, input));
        if (cycle !== undefined) return { cycle, olderJobs: await findOlderOpenJobs(db, cycle) };
      }
      throw ApplicationFailure.create({
        message: `No generation of ${input.spec.name} ending ${input.intervalEnd} could be opened: ${NUMBER_RACES} others came first; this will be tried again`,
        type: FailureType.Throttled,
      });
    },

    /**
     * Waits for the dataset's turn, heartbeating who has it. Taken when it is free or when its holder's execution is closed,
     * under an epoch that only grows; of those that wait, a cycle of low priority lets any of normal priority and of older intervals
     * go first. Idempotent by run id: the holder gets its own epoch again.
     * @throws `TurnTimeout`, not retryable, when the holder outlasts `waitSeconds`
     */
    async takeTurn({ cycle, workflowId, runId, waitSeconds = DEFAULT_WAIT_SECONDS, yieldSeconds = DEFAULT_YIELD_SECONDS }: TakeTurnInput): Promise<TakenTurn> {
      const context = Context.current();
      const { startedMs, yielded: yieldedBefore } = earlierWait(context.info.heartbeatDetails);
      await ensureTurn(db, cycle.dataset);
      const lowPriority = await isLowPriority(db, cycle);
      let yielded = yieldedBefore;
      for (let waitMs = FIRST_POLL_MS; ; waitMs = Math.min(waitMs * 1.5, SLOWEST_POLL_MS)) {
        const turn = await readTurnOf(db, cycle.dataset);
        const held = isHolder(turn, { workflowId, runId });
        const free = !held && (await isFree(turn));
        const ahead = free && lowPriority ? await findAhead(cycle) : undefined;
        // Counted anew when somebody had the turn meanwhile.
        yielded = ahead === undefined ? undefined : yielded?.epoch === turn.epoch ? yielded : { epoch: turn.epoch, sinceMs: Date.now() };
        const mayTake = free && (yielded === undefined || Date.now() - yielded.sinceMs > yieldSeconds * 1_000);
        const epoch = held ? turn.epoch : mayTake ? await swapTurn(db, turn, { workflowId, runId }) : undefined;
        if (epoch !== undefined) {
          await recordEpoch(db, cycle, epoch);
          const unsettled = (await findUnsettled(db, cycle.dataset, epoch)) ?? (await findGivenUp(cycle.dataset));
          log.info('Turn taken', { dataset: cycle.dataset, epoch });
          return unsettled === undefined ? { epoch } : { epoch, unsettled: await describeUnsettled(unsettled) };
        }
        context.heartbeat({ startedMs, holder: turn.holder?.workflowId, ahead: ahead?.workflowId, yielded } satisfies WaitDetails);
        if (Date.now() - startedMs > waitSeconds * 1_000) {
          throw ApplicationFailure.nonRetryable(
            `${generationPrefix(cycle)} waited ${waitSeconds} s for the turn of dataset "${cycle.dataset}", ${reasonOf(turn, ahead)}`,
            FailureType.TurnTimeout,
          );
        }
        await context.sleep(waitMs);
      }
    },

    /** Frees the turn. Idempotent by epoch: a later holder's turn stays untouched. */
    async releaseTurn({ cycle, epoch }: { readonly cycle: CycleRef; readonly epoch: number }): Promise<void> {
      await freeTurn(db, cycle.dataset, epoch);
    },

    /** Puts a job's token on record, before it is submitted. Idempotent by token: returns the first record. */
    async recordJob(job: NewJob): Promise<JobRecord> {
      await insertJob(db, job);
      const record = await findJob(db, job.clientToken);
      if (record !== undefined) return record;
      throw ApplicationFailure.create({ message: `Token ${job.clientToken} is not on record after it was put there`, type: FailureType.Misconfigured });
    },

    /**
     * Notes what the service said of a job. Idempotent by (token, state); a terminal state stands.
     * @throws `Misconfigured`, not retryable, when no job has that token
     */
    async recordJobState(job: { readonly clientToken: string; readonly externalId?: string; readonly state: string }): Promise<void> {
      if (await updateJobState(db, job)) return;
      throw ApplicationFailure.nonRetryable(
        `No job is on record under token ${job.clientToken}: expected recordJob before its submit call`,
        FailureType.Misconfigured,
      );
    },

    /** Jobs of this generation that may still be alive. Idempotent: reads only. */
    async openJobs({ cycle }: { readonly cycle: CycleRef }): Promise<readonly JobRef[]> {
      return await findOpenJobs(db, cycle);
    },

    /** Adds a stage's counts to the cycle record. Idempotent by (cycle, generation, key of `counts`). */
    async recordCounts({ cycle, counts }: { readonly cycle: CycleRef; readonly counts: Readonly<Record<string, unknown>> }): Promise<void> {
      await mergeCounts(db, cycle, counts);
    },

    /** Ends the generation with its outcome. Idempotent by (cycle, generation): the first outcome stands. */
    async closeCycle(closing: Closing): Promise<void> {
      await closeGeneration(db, closing);
    },
  };

  async function isFree({ holder }: Turn): Promise<boolean> {
    return holder === undefined || (await isExecutionClosed(holder.workflowId, holder.runId));
  }

  /** Waits for the turn in an execution that is open, and is of normal priority or of an older interval. */
  async function findAhead(cycle: CycleRef): Promise<Waiting | undefined> {
    for (const waiting of await findWaiting(db, cycle.dataset)) {
      const before = !waiting.lowPriority || waiting.cycle.intervalEnd < cycle.intervalEnd;
      if (before && !(await isExecutionClosed(waiting.workflowId, waiting.runId))) return waiting;
    }
    return undefined;
  }

  /** One whose execution ended while it waited for the turn: it left nothing but an open record. */
  async function findGivenUp(dataset: string): Promise<CycleRef | undefined> {
    for (const { cycle, workflowId, runId } of await findWaiting(db, dataset)) {
      if (await isExecutionClosed(workflowId, runId)) return cycle;
    }
    return undefined;
  }

  async function describeUnsettled(cycle: CycleRef) {
    // Read after the epoch was raised: a late promotion of that cycle is in the ledger by now, or is refused.
    const promoted = (await findPromotion(db, cycle)) !== undefined;
    return { cycle, promoted, jobs: await findOpenJobs(db, cycle) };
  }
}
export type CycleActivities = ReturnType<typeof createCycleActivities>;

async function readTurnOf(db: Kysely<Database>, dataset: string): Promise<Turn> {
  const turn = await readTurn(db, dataset);
  if (turn !== undefined) return turn;
  throw ApplicationFailure.create({ message: `Dataset "${dataset}" has no turn, though it was just made`, type: FailureType.Misconfigured });
}

/** What a wait heartbeats: a new attempt goes on counting from the first one's start. */
interface WaitDetails {
  readonly startedMs: number;
  readonly holder: string | undefined;
  readonly ahead: string | undefined;
  /** Since when the turn has been left to those ahead, at this epoch. */
  readonly yielded: { readonly epoch: number; readonly sinceMs: number } | undefined;
}

function earlierWait(details: unknown): Pick<WaitDetails, 'startedMs' | 'yielded'> {
  const { startedMs = Date.now(), yielded } = (details ?? {}) as Partial<WaitDetails>;
  return { startedMs, yielded };
}

function isHolder({ holder }: Turn, self: { readonly workflowId: string; readonly runId: string }): boolean {
  return holder?.runId === self.runId && holder.workflowId === self.workflowId;
}

function reasonOf({ holder }: Turn, ahead: Waiting | undefined): string {
  return ahead === undefined
    ? `which ${holder?.workflowId} (run ${holder?.runId}) still has: end or cancel that execution, then run this cycle again`
    : `which it left to ${ahead.workflowId} and others before it: run this cycle again when they have ended`;
}
