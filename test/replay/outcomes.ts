import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import type { Activities } from '../../activities';
import { FailureType } from '../../domain/failure-type';

/** One recorded history for each shape that a cycle can take: what its activities answered. */
export const RECORDED_OUTCOMES: Readonly<Record<string, Partial<Activities>>> = {
  promoted: {},
  empty: {
    discoverBatches: () =>
      Promise.resolve({ manifest: { bucket: 'b', key: 'k' }, objectCount: 0, sizeBytes: 0, chunkCount: 0 }),
  },
  rejected: {
    awaitQualityRun: ({ step, runId }) =>
      Promise.resolve({
        runId,
        rules: [{ step, rule: 'Completeness "speed" > 0.9', result: step === 'added' ? 'FAIL' : 'PASS' }],
        rowCount: 70,
      }),
  },
  failed: {
    awaitSparkJob: () => Promise.reject(ApplicationFailure.nonRetryable('run jr-1 ended FAILED', FailureType.JobFailed)),
  },
  blocked: {
    awaitSnapshots: () => Promise.resolve({ outcome: 'blocked', waitedMs: 900_000, blockedBy: ['pid 42'] }),
  },
  'blocked-marked': {
    awaitSnapshots: () => Promise.resolve({ outcome: 'blocked', waitedMs: 900_000, blockedBy: ['pid 42'] }),
  },
  settling: { takeTurn: afterTerminatedNight() },
  cancelled: {
    awaitSparkJob: async () => {
      for (;;) {
        Context.current().heartbeat();
        await Context.current().sleep(100);
      }
    },
  },
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
