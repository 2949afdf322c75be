import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { FailureType } from '../domain/failure-type';

export interface Poll<T> {
  /** Names the thing in errors and heartbeats. */
  readonly what: string;
  readonly poll: () => Promise<T>;
  readonly isDone: (value: T) => boolean;
  readonly stateOf: (value: T) => string;
  /** How long a state may last; undefined: no limit of its own. */
  readonly deadlineMs: (state: string) => number | undefined;
}

/** Where a heartbeat left off: a new attempt goes on counting a state's time from here. */
interface PollDetails {
  readonly state: string;
  readonly sinceMs: number;
}

const QUICKEST_POLL_MS = 500;
const SLOWEST_POLL_MS = 15_000; // EMR's and Glue's own consoles refresh no quicker
/** Of the time that a state has lasted: a job that takes ten seconds is found to have ended within one, an hour's within fifteen. */
const WAITED_SHARE = 0.1;

/**
 * Polls an external job with backoff until it is done, heartbeating its state.
 * @throws `JobOverdue`, not retryable, when a state outlasts its deadline; CancelledFailure when the activity is cancelled
 */
export async function pollUntil<T>({ what, poll, isDone, stateOf, deadlineMs }: Poll<T>): Promise<T> {
  const context = Context.current();
  const resumed = context.info.heartbeatDetails as PollDetails | undefined;
  let state = resumed?.state;
  let sinceMs = resumed?.sinceMs ?? Date.now();
  for (;;) {
    const value = await poll();
    if (isDone(value)) return value;
    if (stateOf(value) !== state) {
      state = stateOf(value);
      sinceMs = Date.now();
    }
    context.heartbeat({ state, sinceMs } satisfies PollDetails);
    const limitMs = deadlineMs(state);
    const lastedMs = Date.now() - sinceMs;
    if (limitMs !== undefined && lastedMs > limitMs) {
      throw ApplicationFailure.nonRetryable(
        `${what} has been ${state} for more than ${Math.round(limitMs / 60_000)} minutes: expected it to move on`,
        FailureType.JobOverdue,
      );
    }
    const waitMs = Math.min(Math.max(QUICKEST_POLL_MS, lastedMs * WAITED_SHARE), SLOWEST_POLL_MS);
    await context.sleep(waitMs).catch((error: unknown) => {
      throw error instanceof CancelledFailure ? error : new CancelledFailure(`${what}: wait cancelled`);
    });
  }
}

/** True when the workflow asked for the cancellation, or a deadline passed: the external job itself must be cancelled. */
export function isGivenUp(error: unknown): boolean {
  const cancelRequested = error instanceof CancelledFailure && Context.current().cancellationDetails?.cancelRequested === true;
  return cancelRequested || (error instanceof ApplicationFailure && error.type === FailureType.JobOverdue);
}
