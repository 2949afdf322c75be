import { Context } from '@temporalio/activity';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import type { WorkflowFailedError } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { Activities } from '../../activities';
import { cycleWorkflowId } from '../../domain/cycle';
import { FailureType } from '../../domain/failure-type';
import { startTestEnvironment } from '../support/temporal';
import { withWorker } from '../support/worker';
import { type Call, fakeActivities } from './fake-activities';

const END = '2018-08-02T00:00:00Z';
const WORKFLOW_ID = cycleWorkflowId('mobile-geolocation', END);
let environment: TestWorkflowEnvironment;

beforeAll(async () => {
  environment = await startTestEnvironment();
}, 60_000);
afterAll(() => environment.teardown());

const count = (calls: readonly Call[], name: Call['name']) => calls.filter((call) => call.name === name).length;
/** Whether the activity that is called now runs within the workflow's own task. */
const withinTheTask = () => Context.current().info.isLocal;

/** Runs a cycle. @returns with its result, or its failure, the activities that the Web UI shows, in order */
async function runCycle(overrides: Partial<Activities> = {}, meanwhile?: (calls: readonly Call[]) => Promise<unknown>) {
  const { activities, calls } = fakeActivities(overrides);
  return withWorker(environment, activities, async (taskQueue) => {
    const handle = await environment.client.workflow.start('etlCycle', { workflowId: WORKFLOW_ID, taskQueue, args: [{ pipeline: 'mobile-geolocation', intervalEnd: END }] });
    await meanwhile?.(calls);
    const result: unknown = await handle.result().catch((error: unknown) => error);
    const { events } = await handle.fetchHistory();
    const shown = (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) => scheduled?.activityType?.name ?? []);
    return { result, calls, shown };
  });
}

test('of a good night the Web UI shows the work and the waits; what is short runs within the tasks that lie between (X12)', async () => {
  const { result, shown } = await runCycle();

  expect(result).toMatchObject({ outcome: 'promoted' });
  expect(shown).toEqual([
    ...['openCycle', 'takeTurn', 'discoverBatches', 'dedupChunks', 'awaitSparkJob', 'awaitQualityRun', 'awaitQualityRun'],
    ...['loadRelation', 'finishCandidate', 'loadRelation', 'finishCandidate'],
    ...['awaitSnapshots', 'vacuumCandidates', 'promote', 'markObjects', 'retireVersions'],
  ]);
});

test('the declaration is in the history before anything is opened by it: a worker of another build cannot open with one and go on with another', async () => {
  const local: [string, boolean][] = [];
  await runCycle({
    resolvePipeline: (input) => {
      local.push(['resolvePipeline', withinTheTask()]);
      return fakeActivities().activities.resolvePipeline(input);
    },
    openCycle: (input) => {
      local.push(['openCycle', withinTheTask()]);
      return fakeActivities().activities.openCycle(input);
    },
  });

  expect(local).toEqual([['resolvePipeline', true], ['openCycle', false]]);
});

test('a short step that meets a passing fault goes on as an activity that everybody sees, with the same input', async () => {
  const { result, calls, shown } = await runCycle({
    closeCycle: async () => {
      if (withinTheTask()) throw new Error('connect ECONNREFUSED 127.0.0.1:5432');
    },
  });

  expect(result).toMatchObject({ outcome: 'promoted' });
  const inputs = calls.filter(({ name }) => name === 'closeCycle').map(({ input }) => input);
  expect(inputs).toEqual([inputs[0], inputs[0]]);
  expect(shown.slice(-2)).toEqual(['retireVersions', 'closeCycle']);
});

test('a short step that fails for good is not tried again, and fails the cycle as ever', async () => {
  const { result, calls, shown } = await runCycle({
    submitSparkJob: async () => {
      throw ApplicationFailure.nonRetryable('ValidationException: no such role', FailureType.JobRefused);
    },
  });

  expect((result as WorkflowFailedError).cause).toMatchObject({ name: 'ActivityFailure', activityType: 'submitSparkJob', cause: { type: FailureType.JobRefused } });
  expect(count(calls, 'submitSparkJob')).toBe(1);
  expect(shown).not.toContain('submitSparkJob');
  for (const due of ['voidCycle', 'dropCandidates', 'closeCycle', 'releaseTurn', 'announceOutcome'] as const) expect(count(calls, due)).toBe(1);
});

test('a short step whose engine hangs holds the task up for seconds only: its attempt is told to stop, and another one waits for the engine (I8)', async () => {
  let told = false;
  const { result, shown } = await runCycle({
    readJobManifest: async (input) => {
      if (withinTheTask()) await Context.current().cancelled.catch((error: unknown) => {
        told = true;
        throw error;
      });
      return fakeActivities().activities.readJobManifest(input);
    },
  });

  expect(result).toMatchObject({ outcome: 'promoted' });
  expect(told).toBe(true);
  expect(shown).toContain('readJobManifest');
}, 30_000);

test('a cancellation during a short step is heard when the step has ended, and what the step began is settled (I7)', async () => {
  let answer: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => (answer = resolve));
  const { result, calls } = await runCycle(
    {
      submitSparkJob: async () => {
        await asked;
        return { clientToken: 'token', jobRunId: 'jr-1' };
      },
      openJobs: async () => [{ kind: 'emr', step: 'transform', clientToken: 'token', externalId: 'jr-1', state: 'RUNNING' }],
    },
    async (soFar) => {
      while (count(soFar, 'submitSparkJob') === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      await environment.client.workflow.getHandle(WORKFLOW_ID).cancel();
      answer();
    },
  );

  expect((result as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure);
  expect([count(calls, 'submitSparkJob'), count(calls, 'settleSparkJob'), count(calls, 'promote')]).toEqual([1, 1, 0]);
  expect(calls).toContainEqual({ name: 'closeCycle', input: expect.objectContaining({ outcome: 'cancelled' }) as unknown });
});
