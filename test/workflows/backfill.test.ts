import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { type WorkflowHandle, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { Activities } from '../../activities';
import { type BackfillInput, backfillWorkflowId } from '../../domain/backfill';
import type { BackfillProgress } from '../../domain/backfill-progress';
import { cycleWorkflowId } from '../../domain/cycle';
import { toRfc3339 } from '../../domain/data-interval';
import { FailureType } from '../../domain/failure-type';
import type { backfill } from '../../workflows';
import { startTestEnvironment } from '../support/temporal';
import { withWorker } from '../support/worker';
import { type Call, fakeActivities } from './fake-activities';

const PIPELINE = 'mobile-geolocation';
const WORKFLOW_ID = backfillWorkflowId(PIPELINE);
const dayEnd = (day: number) => `2018-08-${String(day).padStart(2, '0')}T00:00:00Z`;
const RANGE: BackfillInput = { pipeline: PIPELINE, from: dayEnd(1), to: dayEnd(3) };
const ONE_NIGHT: BackfillInput = { ...RANGE, to: dayEnd(2) };
let environment: TestWorkflowEnvironment;

beforeAll(async () => {
  environment = await startTestEnvironment();
}, 60_000);
afterAll(() => environment.teardown());

type Handle = WorkflowHandle<typeof backfill>;

/** Runs a backfill to its end; `meanwhile` beside it. */
async function runBackfill(
  overrides: Partial<Activities>,
  { input = RANGE, workflowId = WORKFLOW_ID, meanwhile = async () => undefined }: Partial<{ input: BackfillInput; workflowId: string; meanwhile: (handle: Handle, calls: readonly Call[], taskQueue: string) => Promise<unknown> }> = {},
) {
  const { activities, calls } = fakeActivities(overrides);
  const ended = await withWorker(environment, activities, async (taskQueue) => {
    const handle = await environment.client.workflow.start<typeof backfill>('backfill', { workflowId, taskQueue, args: [input] });
    await meanwhile(handle, calls, taskQueue);
    const outcome = await handle.result().then((report) => ({ report, error: undefined }), (error: unknown) => ({ report: undefined, error }));
    const progress = workflowId === WORKFLOW_ID ? await handle.query<BackfillProgress, []>('backfillProgress') : undefined;
    return { ...outcome, handle, progress };
  });
  const opened = inputsOf(calls, 'openCycle').map(({ intervalEnd }) => intervalEnd);
  return { ...ended, calls, opened };
}

function inputsOf<Name extends keyof Activities>(calls: readonly Call[], name: Name) {
  return calls.filter((call) => call.name === name).map((call) => call.input as Parameters<Activities[Name]>[0]);
}

/** Something waits for `held` until `release`. */
function gate() {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  return { held, release: () => release() };
}

const until = async (condition: () => boolean | Promise<boolean>) => {
  while (!(await condition())) await sleep(20);
};

/** A cycle's discovery that fails for good on those days. */
const failingOn = (...ends: readonly string[]): Partial<Activities> => ({
  discoverBatches: async ({ cycle }) => {
    if (ends.includes(cycle.intervalEnd)) throw ApplicationFailure.nonRetryable('bucket gone', FailureType.Misconfigured);
    return { manifest: { bucket: 'b', key: 'k' }, objectCount: 0, sizeBytes: 0, chunkCount: 0 };
  },
});
const quick = failingOn();

test('the due intervals run oldest first, one after the other, as low-priority cycles under their own ids (X8)', async () => {
  const { report, calls, opened, handle } = await runBackfill(quick, { input: { ...RANGE, by: 'ada' } });

  expect(report).toMatchObject({ state: 'done', total: 2, left: 0, by: 'ada', outcomes: { promoted: 0, empty: 2, failed: 0 }, running: [] });
  expect(opened).toEqual([dayEnd(2), dayEnd(3)]);
  expect(inputsOf(calls, 'openCycle').map(({ priority, workflowId }) => [priority, workflowId])).toEqual(
    opened.map((end) => ['low', cycleWorkflowId(PIPELINE, end)]),
  );
  const order = calls.filter(({ name }) => name === 'openCycle' || name === 'releaseTurn').map(({ name }) => name);
  expect(order).toEqual(['openCycle', 'releaseTurn', 'openCycle', 'releaseTurn']);
  const { events } = await environment.client.workflow.getHandle(cycleWorkflowId(PIPELINE, dayEnd(2))).fetchHistory();
  expect(events?.[0]?.workflowExecutionStartedEventAttributes).toMatchObject({ priority: { priorityKey: 5 }, parentWorkflowExecution: { workflowId: WORKFLOW_ID } });
  expect((await handle.describe()).typedSearchAttributes.getAll()).toContainEqual(expect.objectContaining({ value: PIPELINE }));
});

test('an interval that was loaded after the plan was made is left alone', async () => {
  const { report, opened } = await runBackfill({ ...quick, readInterval: async ({ interval }) => ({ state: interval.end === dayEnd(2) ? 'promoted' : 'missing' }) });

  expect(opened).toEqual([dayEnd(3)]);
  expect(report).toMatchObject({ total: 2, settledMeanwhile: 1, outcomes: { empty: 1 } });
});

test('with `all` what is loaded runs again, whatever the record says', async () => {
  const { opened, calls } = await runBackfill({ ...quick, readInterval: async () => ({ state: 'promoted' }) }, { input: { ...ONE_NIGHT, all: true } });

  expect(opened).toEqual([dayEnd(2)]);
  expect(inputsOf(calls, 'planBackfill')).toEqual([expect.objectContaining({ all: true })]);
});

test('a cycle that fails is counted and named, and the rest go on; three in a row stop it (I8)', async () => {
  const input = { ...RANGE, to: dayEnd(8) };

  const { error, progress, opened } = await runBackfill(failingOn(dayEnd(2), dayEnd(4), dayEnd(5), dayEnd(6)), { input });

  expect(failureOf(error)).toMatchObject({ type: FailureType.BackfillStopped, message: expect.stringContaining(cycleWorkflowId(PIPELINE, dayEnd(6))) as string });
  expect(opened).toEqual([2, 3, 4, 5, 6].map(dayEnd));
  expect(progress).toMatchObject({
    state: 'stopped',
    why: expect.stringContaining('3 cycles in a row') as string,
    left: 2,
    outcomes: { failed: 4, empty: 1 },
    notLoaded: [2, 4, 5, 6].map((day) => ({ intervalEnd: dayEnd(day), outcome: 'failed', reason: 'bucket gone' })),
  });
});

test('an interval that somebody else runs is waited for, not started twice', async () => {
  const { held, release } = gate();
  const waited: string[] = [];
  const { activities } = fakeActivities({
    ...quick,
    takeTurn: async () => ({ epoch: await held.then(() => 7) }),
    awaitCycleEnd: async ({ workflowId }) => {
      waited.push(workflowId);
      release();
      return { state: 'promoted' };
    },
  });
  const report = await withWorker(environment, activities, async (taskQueue) => {
    const nightlyId = cycleWorkflowId(PIPELINE, dayEnd(2));
    const nightly = await environment.client.workflow.start('etlCycle', { workflowId: nightlyId, taskQueue, args: [{ pipeline: PIPELINE, intervalEnd: dayEnd(2) }] });
    const report = await environment.client.workflow.execute<typeof backfill>('backfill', { workflowId: WORKFLOW_ID, taskQueue, args: [ONE_NIGHT] });
    await nightly.result();
    return report;
  });

  expect(waited).toEqual([cycleWorkflowId(PIPELINE, dayEnd(2))]);
  expect(report).toMatchObject({ total: 1, outcomes: { promoted: 1 } });
});

test('paused, it ends what runs and starts nothing more until it is resumed', async () => {
  const { held, release } = gate();
  const { report, progress } = await runBackfill(
    { ...quick, takeTurn: async ({ cycle }) => ({ epoch: await (cycle.intervalEnd === dayEnd(2) ? held.then(() => 7) : 8) }) },
    {
      meanwhile: async (handle, calls) => {
        const progressNow = () => handle.query<BackfillProgress, []>('backfillProgress');
        await until(() => calls.some(({ name }) => name === 'takeTurn'));
        await handle.signal('pause', { by: 'ada', reason: 'month end' });
        expect(await progressNow()).toMatchObject({ state: 'paused', why: 'paused by ada: month end', left: 1, running: [{ intervalEnd: dayEnd(2), another: false }] });
        release();
        await until(async () => (await progressNow()).running.length === 0);
        await sleep(300);
        expect(inputsOf(calls, 'openCycle')).toHaveLength(1);
        expect(await progressNow()).toMatchObject({ state: 'paused', left: 1, outcomes: { empty: 1 } });
        await handle.signal('resume');
      },
    },
  );

  expect(report).toMatchObject({ state: 'done', outcomes: { empty: 2 } });
  expect(progress).not.toHaveProperty('why');
});

test('cancelled, it cancels the running cycle, waits until that is cleaned up, and starts no other (I7)', async () => {
  const { error, progress, opened, calls } = await runBackfill(
    {
      ...quick,
      takeTurn: async () => {
        for (;;) {
          Context.current().heartbeat();
          await Context.current().sleep(50);
        }
      },
    },
    {
      meanwhile: async (handle, calls) => {
        await until(() => calls.some(({ name }) => name === 'takeTurn'));
        await handle.cancel();
      },
    },
  );

  expect((error as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure);
  expect(opened).toEqual([dayEnd(2)]);
  expect(inputsOf(calls, 'closeCycle')).toEqual([expect.objectContaining({ outcome: 'cancelled' })]);
  expect((await environment.client.workflow.getHandle(cycleWorkflowId(PIPELINE, dayEnd(2))).describe()).status.name).toBe('CANCELLED');
  expect(progress).toMatchObject({ state: 'cancelled', left: 1, running: [] });
});

test('a cycle that a person cancels alone is named, and the backfill goes on', async () => {
  const { report } = await runBackfill(
    {
      ...quick,
      takeTurn: async ({ cycle }) => {
        while (cycle.intervalEnd === dayEnd(2)) {
          Context.current().heartbeat();
          await Context.current().sleep(50);
        }
        return { epoch: 7 };
      },
    },
    {
      meanwhile: async (_handle, calls) => {
        await until(() => inputsOf(calls, 'takeTurn').length > 0);
        await environment.client.workflow.getHandle(cycleWorkflowId(PIPELINE, dayEnd(2))).cancel();
      },
    },
  );

  expect(report).toMatchObject({ outcomes: { cancelled: 1, empty: 1 }, notLoaded: [{ intervalEnd: dayEnd(2), outcome: 'cancelled' }] });
});

test('what does not fit one history goes on in a new one, which knows what came before (S0.14)', async () => {
  const plan = fakeActivities().activities.planBackfill;
  const { progress, error, opened, calls } = await runBackfill(
    {
      ...failingOn(dayEnd(2), dayEnd(3), dayEnd(4)),
      planBackfill: async (input) => {
        const page = await plan(input);
        return { ...page, due: page.due.slice(0, 2), needDecision: { count: 1, first: [dayEnd(1)] } };
      },
    },
    { input: { ...RANGE, to: dayEnd(6) } },
  );

  expect(inputsOf(calls, 'planBackfill').map(({ from, at }) => [from, at])).toEqual([[dayEnd(1), startOf(progress)], [dayEnd(3), startOf(progress)]]);
  expect(opened).toEqual([2, 3, 4].map(dayEnd));
  expect(failureOf(error)).toMatchObject({ type: FailureType.BackfillStopped, message: expect.stringContaining('3 cycles in a row') as string });
  expect(progress).toMatchObject({ from: dayEnd(1), to: dayEnd(6), total: 5, left: 2, outcomes: { failed: 3 }, needDecision: { count: 1 } });
});

test('several at once are never more than said', async () => {
  let open = 0;
  let most = 0;
  const { report } = await runBackfill(
    {
      ...quick,
      takeTurn: async () => {
        most = Math.max(most, (open += 1));
        await sleep(200);
        open -= 1;
        return { epoch: 7 };
      },
    },
    { input: { ...RANGE, to: dayEnd(5), concurrency: 2 } },
  );

  expect(most).toBe(2);
  expect(report).toMatchObject({ outcomes: { empty: 4 } });
});

test('more at once than allowed is refused before anything runs', async () => {
  const { error, calls } = await runBackfill(quick, { input: { ...RANGE, concurrency: 6 } });

  expect(failureOf(error)).toMatchObject({ type: FailureType.BackfillRefused, message: 'concurrency: expected 1 to 5 cycles at once, found 6' });
  expect(calls).toEqual([]);
});

test('a start under another id runs it under its own, and is refused while one runs (plain `temporal workflow start`)', async () => {
  let refused: unknown;
  const { held, release } = gate();
  const overrides = { ...quick, takeTurn: async () => ({ epoch: await held.then(() => 7) }) };
  const { report } = await runBackfill(overrides, {
    input: ONE_NIGHT,
    workflowId: 'somebody-typed-this',
    meanwhile: async (_handle, calls, taskQueue) => {
      await until(() => calls.some(({ name }) => name === 'planBackfill'));
      refused = await environment.client.workflow.execute('backfill', { workflowId: 'typed-again', taskQueue, args: [RANGE] }).catch((error: unknown) => error);
      release();
    },
  });

  expect(report).toMatchObject({ state: 'done', outcomes: { empty: 1 } });
  expect(failureOf(refused)).toMatchObject({ type: FailureType.BackfillRefused, message: expect.stringContaining('is already running') as string });
});

function startOf(progress: BackfillProgress | undefined): string {
  return toRfc3339(new Date(progress?.startedAtMs ?? 0));
}

function failureOf(error: unknown): ApplicationFailure | undefined {
  let failure: unknown = error instanceof WorkflowFailedError ? error.cause : undefined;
  while (failure instanceof Error && failure.cause !== undefined) failure = failure.cause;
  return failure instanceof ApplicationFailure ? failure : undefined;
}
