import { ActivityFailure, ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { WorkflowFailedError } from '@temporalio/client';
import { Context } from '@temporalio/activity';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { Activities } from '../../activities';
import { cycleWorkflowId } from '../../domain/cycle';
import { FailureType } from '../../domain/failure-type';
import type { CycleReport } from '../../domain/progress';
import { startTestEnvironment } from '../support/temporal';
import { withWorker } from '../support/worker';
import { type Call, fakeActivities, STORED } from './fake-activities';

const END = '2018-08-02T00:00:00Z';
const WORKFLOW_ID = cycleWorkflowId('mobile-geolocation', END);
let environment: TestWorkflowEnvironment;

beforeAll(async () => {
  environment = await startTestEnvironment();
}, 60_000);
afterAll(() => environment.teardown());

const names = (calls: readonly Call[]) => calls.map((call) => call.name);

async function runCycle(overrides: Partial<Activities> = {}, workflowId = WORKFLOW_ID) {
  const { activities, calls } = fakeActivities(overrides);
  const outcome = await withWorker(environment, activities, async (taskQueue) => {
    try {
      const report = await environment.client.workflow.execute<(input: object) => Promise<CycleReport>>('etlCycle', {
        workflowId,
        taskQueue,
        args: [{ pipeline: 'mobile-geolocation', intervalEnd: END }],
      });
      return { report };
    } catch (error) {
      return { error };
    }
  });
  return { ...outcome, calls };
}

test('a good night runs its stages in order and is promoted', async () => {
  const { report, calls } = await runCycle();

  expect(report).toMatchObject({ outcome: 'promoted', jobRunId: 'jr-1', promotion: { sequence: 4, snapshotWaitMs: 38 } });
  expect(report?.stages.map((row) => row.state)).toEqual(Array(9).fill('done'));
  const order = ['openCycle', 'takeTurn', 'raiseFence', 'discoverBatches', 'dedupChunks', 'submitSparkJob', 'awaitSparkJob', 'loadRelation', 'awaitSnapshots', 'vacuumCandidates', 'promote', 'markObjects', 'closeCycle', 'releaseTurn', 'announceOutcome'] as const;
  const positions = order.map((name) => names(calls).indexOf(name));
  expect(positions).toEqual([...positions].sort((a, b) => a - b));
  expect(positions).not.toContain(-1);
  expect(names(calls)).not.toContain('voidCycle');
  expect(report).toMatchObject({ spark: { vCpuHours: 0.1, memoryGbHours: 0.4, storageGbHours: 1 } });
  const { input } = calls.find(({ name }) => name === 'announceOutcome') ?? {};
  expect(input).toMatchObject({ spark: { vCpuHours: 0.1 }, seconds: { transform: expect.any(Number) as number, publish: expect.any(Number) as number } });
});

describe('dedup.engine: spark', () => {
  const bySpark: Partial<Activities> = {
    resolvePipeline: async (input) => {
      const resolved = await fakeActivities().activities.resolvePipeline(input);
      return { ...resolved, spec: { ...resolved.spec, dedup: { ...resolved.spec.dedup, engine: 'spark' } } };
    },
  };
  const oneChunk: Activities['discoverBatches'] = async () => ({ manifest: { bucket: 'b', key: 'k' }, objectCount: 1, sizeBytes: 1, chunkCount: 1 });

  test('each chunk is prepared, run and committed before the next one, and what all runs used is in the report', async () => {
    const { report, calls } = await runCycle(bySpark);

    expect(report).toMatchObject({ outcome: 'promoted', jobRunId: 'jr-1', records: { read: 100, stored: STORED, duplicates: 20, quarantined: { too_late: 10 } } });
    expect(report?.spark?.vCpuHours).toBeCloseTo(0.4);
    expect(names(calls)).not.toContain('dedupChunks');
    const ofDedup = calls.filter(({ name }) => name.endsWith('DedupJob'));
    expect(ofDedup.map(({ name }) => name)).toEqual([0, 1, 2].flatMap(() => ['prepareDedupJob', 'submitDedupJob', 'commitDedupJob']));
    expect(ofDedup.filter(({ name }) => name === 'commitDedupJob').map(({ input }) => input)).toMatchObject(
      [0, 1, 2].map((chunk) => ({ epoch: 7, input: { key: `dedup/${chunk}-1/input.json` } })),
    );
  });

  test('a chunk whose dates somebody else wrote to is compared again by another run', async () => {
    let commits = 0;
    const { report, calls } = await runCycle({ ...bySpark, discoverBatches: oneChunk, commitDedupJob: async () => ((commits += 1) === 1 ? {} : { committed: { read: 100, stored: 70, duplicates: 30, quarantined: {} } }) });

    expect(report).toMatchObject({ outcome: 'promoted', records: { read: 100, stored: 70 } });
    expect(calls.filter(({ name }) => name === 'submitDedupJob').map(({ input }) => input)).toMatchObject([{ chunk: 0, round: 1 }, { chunk: 0, round: 2 }]);
  });

  test('rounds are bounded: the night fails by name and nothing of it stays', async () => {
    const { error, calls } = await runCycle({ ...bySpark, discoverBatches: oneChunk, commitDedupJob: async () => ({}) });

    expect((error as WorkflowFailedError).cause).toMatchObject({ type: FailureType.LedgerRefused, message: expect.stringContaining('lost 5 rounds') as string });
    expect(names(calls)).toEqual(expect.arrayContaining(['voidCycle', 'releaseTurn']));
  });

  test('a chunk that is committed already starts no run', async () => {
    const counts = { read: 100, stored: STORED, duplicates: 30, quarantined: {} };
    const { report, calls } = await runCycle({ ...bySpark, discoverBatches: oneChunk, prepareDedupJob: async () => ({ input: { bucket: 'b', key: 'k' }, committed: counts }) });

    expect(report?.records).toEqual(counts);
    expect(names(calls)).not.toContain('submitDedupJob');
  });
});

test('a night without new objects is empty: no job, nothing promoted, the turn released', async () => {
  const { report, calls } = await runCycle({
    discoverBatches: async () => ({ manifest: { bucket: 'b', key: 'k' }, objectCount: 0, sizeBytes: 0, chunkCount: 0 }),
  });

  expect(report).toMatchObject({ outcome: 'empty', served: [] });
  expect(names(calls)).toEqual(expect.arrayContaining(['closeCycle', 'releaseTurn', 'announceOutcome']));
  expect(names(calls)).not.toEqual(expect.arrayContaining(['submitSparkJob']));
});

test('a night of nothing but duplicates marks its objects and starts no job', async () => {
  const { report, calls } = await runCycle({
    dedupChunks: async () => ({
      counts: { read: 5, stored: 0, duplicates: 5, quarantined: {} },
      capacity: { readUnits: 1, writeUnits: 1, requests: 1 },
      files: 0,
    }),
  });

  expect(report?.outcome).toBe('empty');
  expect(calls).toContainEqual({ name: 'markObjects', input: expect.objectContaining({ state: 'loaded' }) as unknown });
  expect(names(calls)).not.toContain('submitSparkJob');
});

test.each([
  ['FAIL', 'Value: 0.0 does not meet the constraint'],
  ['ERROR', 'Glue gave no result for this rule'],
] as const)('a rule that ends %s rejects the night: voided, set aside, nothing loaded (I4, X9 fails closed)', async (result, message) => {
  const { report, calls } = await runCycle({
    awaitQualityRun: async ({ step, runId }) => ({
      runId,
      rules: [{ step, rule: 'Completeness "speed" > 0.9', result: step === 'added' ? result : 'PASS', message }],
      rowCount: 70,
    }),
  });

  expect(report).toMatchObject({ outcome: 'rejected', reason: expect.stringContaining(message) as string, served: [] });
  expect(names(calls)).toContain('voidCycle');
  expect(calls).toContainEqual({ name: 'markObjects', input: expect.objectContaining({ state: 'set-aside' }) as unknown });
  for (const never of ['createCandidate', 'promote'] as const) expect(names(calls)).not.toContain(never);
});

test('counts that do not add up block the promotion and leave nothing behind (X6)', async () => {
  const { error, calls } = await runCycle({ finishCandidate: async () => ({ rows: 171 }) });

  expect(failureType(error)).toBe(FailureType.CountsDoNotAddUp);
  expect(names(calls)).not.toContain('promote');
  expect(names(calls)).toEqual(expect.arrayContaining(['voidCycle', 'dropCandidates', 'closeCycle', 'releaseTurn', 'announceOutcome']));
});

test('a job that fails for good fails the cycle, voids its chunks and releases the turn (I7)', async () => {
  const { error, calls } = await runCycle({
    awaitSparkJob: async () => {
      throw ApplicationFailure.nonRetryable('run jr-1 ended FAILED', FailureType.JobFailed);
    },
  });

  expect(failureType(error)).toBe(FailureType.JobFailed);
  expect(names(calls).slice(names(calls).indexOf('awaitSparkJob') + 1)).toEqual(
    ['openJobs', 'settlePromotion', 'voidCycle', 'dropCandidates', 'removeGatePartitions', 'closeCycle', 'releaseTurn', 'announceOutcome'],
  );
  const { seconds } = calls.find(({ name }) => name === 'announceOutcome')?.input as { seconds: object };
  expect(Object.keys(seconds)).toEqual(['resolve', 'turn', 'discover', 'dedup', 'transform']);
});

test('a passing fault is retried by the activity alone: one submit, one promotion', async () => {
  let failures = 2;
  const { report, calls } = await runCycle({
    discoverBatches: async () => {
      if (failures-- > 0) throw new Error('connect ECONNREFUSED');
      return { manifest: { bucket: 'b', key: 'k' }, objectCount: 12, sizeBytes: 1, chunkCount: 1 };
    },
  });

  expect(report?.outcome).toBe('promoted');
  expect(names(calls).filter((name) => name === 'discoverBatches')).toHaveLength(3);
  expect(names(calls).filter((name) => name === 'submitSparkJob')).toHaveLength(1);
});

test('a failure after the promotion lets the promotion stand and still marks the objects', async () => {
  const { report, calls } = await runCycle({
    publishPartitions: (() => {
      let first = true;
      return async () => {
        if (!first) return { dates: 1 };
        first = false;
        throw ApplicationFailure.nonRetryable('Glue refused', FailureType.JobRefused);
      };
    })(),
    settlePromotion: async () => ({ sequence: 4, promotedAt: '2018-08-02T00:10:00.000Z', relations: { positions: 3 }, swapMs: 12 }),
  });

  expect(report).toMatchObject({ outcome: 'promoted', reason: expect.stringContaining('Glue refused') as string });
  expect(names(calls)).not.toContain('voidCycle');
  expect(names(calls)).not.toContain('dropCandidates');
});

test('a cancellation while the job runs waits for its confirmed end, then cleans up (I7)', async () => {
  const { activities, calls } = fakeActivities({
    awaitSparkJob: async () => {
      for (;;) {
        Context.current().heartbeat();
        await Context.current().sleep(100);
      }
    },
  });
  const error: unknown = await withWorker(environment, activities, async (taskQueue) => {
    const handle = await environment.client.workflow.start('etlCycle', {
      workflowId: WORKFLOW_ID,
      taskQueue,
      args: [{ pipeline: 'mobile-geolocation', intervalEnd: END }],
    });
    while (!names(calls).includes('awaitSparkJob')) await new Promise((resolve) => setTimeout(resolve, 20));
    await handle.cancel();
    const ended: unknown = await handle.result().catch((failure: unknown) => failure);
    return ended;
  });

  expect(error).toBeInstanceOf(WorkflowFailedError);
  expect((error as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure);
  expect(names(calls)).toEqual(expect.arrayContaining(['openJobs', 'voidCycle', 'dropCandidates', 'releaseTurn']));
  expect(calls).toContainEqual({ name: 'closeCycle', input: expect.objectContaining({ outcome: 'cancelled' }) as unknown });
});

test('readers that hold older snapshots for too long end the cycle blocked, its candidate kept', async () => {
  const { report, calls } = await runCycle({
    awaitSnapshots: async () => ({ outcome: 'blocked', waitedMs: 900_000, blockedBy: ['pid 42'] }),
  });

  expect(report).toMatchObject({ outcome: 'blocked', reason: expect.stringContaining('pid 42') as string });
  for (const never of ['promote', 'dropCandidates', 'voidCycle'] as const) expect(names(calls)).not.toContain(never);
});

test('a start under another id runs the cycle under its own (plain `temporal workflow start`)', async () => {
  const { report } = await runCycle({}, 'somebody-typed-this');

  expect(report).toMatchObject({ outcome: 'promoted', workflowId: WORKFLOW_ID });
});

test('what the previous holder of the turn left unpromoted is voided before this cycle looks for objects', async () => {
  const cycle = { pipeline: 'mobile-geolocation', dataset: 'mobile_positions', intervalStart: '2018-07-31T00:00:00Z', intervalEnd: '2018-08-01T00:00:00Z', generation: 2 };
  let settled = false;
  const { report, calls } = await runCycle({
    takeTurn: async () => (settled ? { epoch: 8 } : { epoch: 8, unsettled: { cycle, promoted: false, jobs: [] } }),
    closeCycle: async (closing) => {
      settled ||= closing.cycle.intervalEnd === cycle.intervalEnd;
    },
  });

  expect(report?.outcome).toBe('promoted');
  expect(calls).toContainEqual({ name: 'voidCycle', input: expect.objectContaining({ cycle, epoch: 8 }) as unknown });
  expect(names(calls).indexOf('voidCycle')).toBeLessThan(names(calls).indexOf('discoverBatches'));
});

function failureType(error: unknown): string | undefined {
  const failed = error instanceof WorkflowFailedError ? error.cause : undefined;
  const root = failed instanceof ActivityFailure ? failed.cause : failed;
  return root instanceof ApplicationFailure ? (root.type ?? undefined) : undefined;
}
