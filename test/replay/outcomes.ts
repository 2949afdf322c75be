/**
 * What is recorded into test/replay/histories, one file a name: `npm run record-histories` runs each name that has no file yet, on a real
 * Temporal server with hand-written activities (test/workflows/fake-activities.ts).
 *
 * To record a history of another workflow, export it from workflows/index.ts, give its activities an answer in fake-activities.ts, and
 * add a name here: `'backfill-done': { workflow: 'backfill', workflowId: '…', input: { … } }`. `activities` breaks what should break;
 * `meanwhile` signals, updates or cancels while it runs. It is over when its first execution has closed, be it by continuing as new.
 */
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import type { Activities } from '../../activities';
import { backfillWorkflowId } from '../../domain/backfill';
import { cycleWorkflowId } from '../../domain/cycle';
import { FailureType } from '../../domain/failure-type';

/** One shape that an execution can take. */
export interface Recording {
  /** Its type, as workflows/index.ts exports it. */
  readonly workflow: string;
  readonly workflowId: string;
  readonly input: object;
  /** What answers otherwise than in a night that goes well. */
  readonly activities?: Partial<Activities>;
  /** What is done to it while it runs; `called` waits until an activity of that name was called. */
  readonly meanwhile?: (handle: WorkflowHandle, called: (name: keyof Activities) => Promise<void>) => Promise<unknown>;
}

const INTERVAL_END = '2018-08-02T00:00:00Z';

function cycle(activities: Partial<Activities> = {}, meanwhile?: Recording['meanwhile']): Recording {
  return {
    workflow: 'etlCycle',
    workflowId: cycleWorkflowId('mobile-geolocation', INTERVAL_END),
    input: { pipeline: 'mobile-geolocation', intervalEnd: INTERVAL_END },
    activities,
    ...(meanwhile === undefined ? {} : { meanwhile }),
  };
}

function backfilling(activities: Partial<Activities>, meanwhile?: Recording['meanwhile']): Recording {
  return {
    workflow: 'backfill',
    workflowId: backfillWorkflowId('mobile-geolocation'),
    input: { pipeline: 'mobile-geolocation', from: '2018-08-01T00:00:00Z', to: '2018-08-05T00:00:00Z' },
    activities,
    ...(meanwhile === undefined ? {} : { meanwhile }),
  };
}

/** One recorded history for each shape. */
export const RECORDED_OUTCOMES: Readonly<Record<string, Recording>> = {
  promoted: cycle(),
  empty: cycle(emptyNights()),
  rejected: cycle({
    awaitQualityRun: ({ step, runId }) =>
      Promise.resolve({
        runId,
        rules: [{ step, rule: 'Completeness "speed" > 0.9', result: step === 'added' ? 'FAIL' : 'PASS' }],
        rowCount: 70,
      }),
  }),
  failed: cycle({
    awaitSparkJob: () => Promise.reject(ApplicationFailure.nonRetryable('run jr-1 ended FAILED', FailureType.JobFailed)),
  }),
  blocked: cycle({
    awaitSnapshots: () => Promise.resolve({ outcome: 'blocked', waitedMs: 900_000, blockedBy: ['pid 42'] }),
  }),
  'blocked-marked': cycle({
    awaitSnapshots: () => Promise.resolve({ outcome: 'blocked', waitedMs: 900_000, blockedBy: ['pid 42'] }),
  }),
  settling: cycle({ takeTurn: afterTerminatedNight() }),
  cancelled: cycle({ awaitSparkJob: beatForEver }, async (handle, called) => {
    await called('awaitSparkJob');
    await handle.cancel();
  }),
  'backfill-done': backfilling({
    ...emptyNights(),
    readInterval: ({ interval }) => Promise.resolve({ state: interval.end === INTERVAL_END ? 'promoted' : 'missing' }),
  }),
  'backfill-stopped': backfilling({ discoverBatches: () => Promise.reject(ApplicationFailure.nonRetryable('bucket gone', FailureType.Misconfigured)) }),
  'backfill-continued': backfilling({ ...emptyNights(), planBackfill: firstPage }),
  'backfill-paused-cancelled': backfilling({ ...emptyNights(), takeTurn: beatForEver }, async (handle, called) => {
    await called('takeTurn');
    await handle.signal('pause', { by: 'ada', reason: 'month end' });
    await handle.signal('resume');
    await handle.cancel();
  }),
};

/** The turn of a dataset whose last holder was terminated: it is settled first, then the turn is taken again. */
function afterTerminatedNight(): Activities['takeTurn'] {
  let taken = 0;
  return ({ cycle }) => {
    taken += 1;
    const earlier = { ...cycle, intervalStart: '2018-07-31T00:00:00Z', intervalEnd: '2018-08-01T00:00:00Z' };
    return Promise.resolve({ epoch: 2, ...(taken === 1 ? { unsettled: { cycle: earlier, promoted: false, jobs: [] } } : {}) });
  };
}

function emptyNights(): Partial<Activities> {
  return { discoverBatches: () => Promise.resolve({ manifest: { bucket: 'b', key: 'k' }, objectCount: 0, sizeBytes: 0, chunkCount: 0 }) };
}

/** Ends by its cancellation alone. */
async function beatForEver(): Promise<never> {
  for (;;) {
    Context.current().heartbeat();
    await Context.current().sleep(100);
  }
}

/** Of a range whose cycles are more than one history should hold. */
function firstPage({ from }: { readonly from: string }): ReturnType<Activities['planBackfill']> {
  const end = new Date(Date.parse(from) + 86_400_000).toISOString().replace('.000', '');
  return Promise.resolve({ due: [{ start: from, end }], dueCount: 2, states: { missing: 2 }, needDecision: { count: 0, first: [] }, medianMs: 60_000 });
}
