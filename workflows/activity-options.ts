import { ActivityCancellationType, type ActivityOptions, type LocalActivityOptions } from '@temporalio/workflow';

/** Transient faults retry without a count; the whole is bounded by `scheduleToCloseTimeout`. */
const PATIENT_RETRY = { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds' } as const;

/** Without a heartbeat for this long a worker is taken for dead; `heartbeatSeconds` of the pipeline overrides each. */
const HEARTBEAT_TIMEOUT = '30 seconds';

/** A lookup or a small write: a database or AWS that is down for a while is waited for, but no night is. */
export const shortStep: ActivityOptions = {
  startToCloseTimeout: '1 minute', // a few hundred requests at most
  heartbeatTimeout: HEARTBEAT_TIMEOUT, // worker/short-step-heartbeat.ts beats for it
  scheduleToCloseTimeout: '2 hours',
  retry: PATIENT_RETRY,
  // A write that goes on after its workflow was told of the cancellation could outlive the clean-up.
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/** The first attempt of a short step, within the workflow task: one that is not done at once is left to the attempts that everybody sees. */
export const firstTry: LocalActivityOptions = {
  startToCloseTimeout: '5 seconds', // half of a workflow task's own: the task is not held up by an engine that is
  scheduleToCloseTimeout: '8 seconds', // of a worker that has no slot free
  retry: { maximumAttempts: 1 },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/** Work over data: heartbeats with progress, resumes from what it committed. */
export const dataStep: ActivityOptions = {
  startToCloseTimeout: '6 hours',
  scheduleToCloseTimeout: '12 hours',
  heartbeatTimeout: HEARTBEAT_TIMEOUT, // beats come every few seconds
  retry: PATIENT_RETRY,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/** Waiting: for an external job, a turn, or readers. Longer than any deadline inside, so that those speak first. */
export const waitStep: ActivityOptions = {
  startToCloseTimeout: '25 hours',
  scheduleToCloseTimeout: '26 hours',
  heartbeatTimeout: '45 seconds', // three of the slowest polls
  retry: PATIENT_RETRY,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/** Resolving a declaration reads memory: a fault in it is final. */
export const pureLookup: ActivityOptions = { startToCloseTimeout: '10 seconds', scheduleToCloseTimeout: '10 minutes' };
