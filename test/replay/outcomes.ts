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
import { intervalEndingAt } from '../../domain/calendar';
import { cycleWorkflowId } from '../../domain/cycle';
import type { Decision, DecisionInput, Verdict } from '../../domain/decision';
import { FailureType } from '../../domain/failure-type';
import type { RerunStage } from '../../domain/rerun';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import { cycleOf, SERVED, STORED } from '../workflows/fake-activities';

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

/** One recorded history for each shape. */
export const RECORDED_OUTCOMES: Readonly<Record<string, Recording>> = {
  promoted: cycle(),
  empty: cycle({
    discoverBatches: () =>
      Promise.resolve({ manifest: { bucket: 'b', key: 'k' }, objectCount: 0, sizeBytes: 0, chunkCount: 0 }),
  }),
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
  cancelled: cycle(
    {
      awaitSparkJob: async () => {
        for (;;) {
          Context.current().heartbeat();
          await Context.current().sleep(100);
        }
      },
    },
    async (handle, called) => {
      await called('awaitSparkJob');
      await handle.cancel();
    },
  ),
  'held-approved': held('approve'),
  'held-rejected': held('reject'),
  'rerun-discover': rerun('discover'),
  'rerun-transform': rerun('transform'),
  'rerun-check': rerun('check'),
  'rerun-load': rerun('load'),
  discarded: {
    workflow: 'discardCycle',
    workflowId: `discard/mobile-geolocation-${INTERVAL_END}`,
    input: { pipeline: 'mobile-geolocation', intervalEnd: INTERVAL_END, by: 'ada', reason: 'a test feed' },
  },
};

/** A night whose gate fails, in a pipeline that holds such nights, and what a person then says of it. */
function held(decision: Verdict): Recording {
  const activities: Partial<Activities> = {
    resolvePipeline: ({ intervalEnd = INTERVAL_END }) =>
      Promise.resolve({
        spec: { ...mobileGeolocation, quality: { ...mobileGeolocation.quality, hold: { deadlineMinutes: 60, atDeadline: 'reject', remindEveryMinutes: 30 } } },
        interval: intervalEndingAt(intervalEnd, mobileGeolocation),
      }),
    awaitQualityRun: ({ step, runId }) =>
      Promise.resolve({ runId, rules: [{ step, rule: 'RowCount > 0', result: step === 'added' ? 'FAIL' : 'PASS' }], rowCount: step === 'added' ? STORED : SERVED }),
  };
  return cycle(activities, async (handle, called) => {
    await called('announceOutcome');
    await handle.executeUpdate<Decision, [DecisionInput]>('decide', { args: [{ decision, by: 'ada', reason: 'looked at it' }] });
  });
}

function rerun(from: RerunStage): Recording {
  const request = { from, by: 'ada', reason: 'the job was mended' };
  const data = { ...cycleOf('2018-08-01T00:00:00Z', INTERVAL_END), generation: 1 };
  const records = { read: 100, stored: STORED, duplicates: 20, quarantined: { too_late: 10 } };
  const { input, ...recording } = cycle({
    planRerun: () =>
      Promise.resolve({ ...request, ofGeneration: 1, ofRunId: 'run-1', ...(from === 'discover' ? {} : { data }), ...(from === 'check' || from === 'load' ? { output: data } : {}) }),
    reuseResults: () =>
      Promise.resolve(
        from === 'discover'
          ? {}
          : { records, ...(from === 'load' ? { gate: { rules: [{ step: 'added', rule: 'RowCount > 0', result: 'PASS' }], rowCounts: { added: STORED, served: SERVED } } } : {}) },
      ),
  });
  return { ...recording, input: { ...input, rerun: request } };
}

/** The turn of a dataset whose last holder was terminated: it is settled first, then the turn is taken again. */
function afterTerminatedNight(): Activities['takeTurn'] {
  let taken = 0;
  return ({ cycle }) => {
    taken += 1;
    const earlier = { ...cycle, intervalStart: '2018-07-31T00:00:00Z', intervalEnd: '2018-08-01T00:00:00Z' };
    return Promise.resolve({ epoch: 2, ...(taken === 1 ? { unsettled: { cycle: earlier, promoted: false, jobs: [] } } : {}) });
  };
}
