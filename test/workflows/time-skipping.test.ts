import { WorkflowFailedError } from '@temporalio/client';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { Activities } from '../../activities';
import { cycleWorkflowId } from '../../domain/cycle';
import type { CycleReport } from '../../domain/progress';
import { rootMessage } from '../../workflows/root-message';
import { addSearchAttributes, required } from '../support/temporal';
import { withWorker } from '../support/worker';
import { type Call, fakeActivities } from './fake-activities';

const END = '2018-08-02T00:00:00Z';
const MINUTE_MS = 60_000;
let environment: TestWorkflowEnvironment;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  environment = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path: required('MERIDIAN_TEMPORAL_TEST_SERVER') } },
  });
  await addSearchAttributes(environment);
}, 60_000);
afterAll(() => environment.teardown());

/** Answers only once `outageMs` of workflow time have passed since its first call. */
function downFor(outageMs: number): Activities['discoverBatches'] {
  let since: number | undefined;
  return async () => {
    const now = await environment.currentTimeMs();
    since ??= now;
    if (now - since < outageMs) throw new Error('connect ECONNREFUSED 127.0.0.1:5432');
    return { manifest: { bucket: 'b', key: 'k' }, objectCount: 12, sizeBytes: 1, chunkCount: 1 };
  };
}

async function runCycle(overrides: Partial<Activities>) {
  const { activities, calls } = fakeActivities(overrides);
  const result = await withWorker(environment, activities, (taskQueue) =>
    environment.client.workflow
      .execute<(input: object) => Promise<CycleReport>>('etlCycle', {
        workflowId: cycleWorkflowId('mobile-geolocation', END),
        taskQueue,
        args: [{ pipeline: 'mobile-geolocation', intervalEnd: END }],
      })
      .catch((error: unknown) => error),
  );
  return { result, calls };
}
const count = (calls: readonly Call[], name: Call['name']) => calls.filter((call) => call.name === name).length;

test('an engine that is down for three hours of the night delays the cycle and costs nothing else', async () => {
  const { result, calls } = await runCycle({ discoverBatches: downFor(180 * MINUTE_MS) });

  expect(result).toMatchObject({ outcome: 'promoted' });
  expect(count(calls, 'discoverBatches')).toBeGreaterThan(100);
  expect(count(calls, 'submitSparkJob')).toBe(1);
});

test('no wait is for ever: an engine that stays down fails the cycle by name, and cleans up', async () => {
  // For ever, rather than for longer than the bound: the outage of thirty hours ended before the bound of twelve once, and this
  // server's clock, which does not wait for what a timer set off before it goes on to the next, is the likely reason.
  const { result, calls } = await runCycle({ discoverBatches: downFor(Infinity) });

  expect(result).not.toHaveProperty('outcome'); // a report's outcome says why it is none of a failure
  expect(result).toBeInstanceOf(WorkflowFailedError);
  expect(rootMessage(result)).toContain('ECONNREFUSED');
  expect(count(calls, 'voidCycle')).toBe(1);
  expect(count(calls, 'releaseTurn')).toBe(1);
  expect(count(calls, 'announceOutcome')).toBe(1);
});
