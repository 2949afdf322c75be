import { TestWorkflowEnvironment } from '@temporalio/testing';
import { ApplicationFailure } from '@temporalio/common';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { Activities } from '../../activities';
import { cycleWorkflowId } from '../../domain/cycle';
import { intervalEndingAt } from '../../domain/calendar';
import type { HoldSpec } from '../../domain/decision';
import type { CycleReport } from '../../domain/progress';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import { addSearchAttributes, required } from '../support/temporal';
import { withWorker } from '../support/worker';
import { type Call, fakeActivities } from './fake-activities';

const END = '2018-08-02T00:00:00Z';
let environment: TestWorkflowEnvironment;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  environment = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path: required('MERIDIAN_TEMPORAL_TEST_SERVER') } },
  });
  await addSearchAttributes(environment);
}, 60_000);
afterAll(() => environment.teardown());

/** A night whose gate fails, in a pipeline that holds such nights. */
async function heldNight(hold: HoldSpec, overrides: Partial<Activities> = {}) {
  const { activities, calls } = fakeActivities({
    resolvePipeline: async ({ intervalEnd = END }) => ({
      spec: { ...mobileGeolocation, quality: { ...mobileGeolocation.quality, hold } },
      interval: intervalEndingAt(intervalEnd, { intervalHours: 24 }),
    }),
    awaitQualityRun: async ({ step, runId }) => ({ runId, rules: [{ step, rule: 'RowCount > 0', result: step === 'added' ? 'FAIL' : 'PASS' }], rowCount: step === 'added' ? 70 : 170 }),
    ...overrides,
  });
  const report = await withWorker(environment, activities, (taskQueue) =>
    environment.client.workflow.execute<(input: object) => Promise<CycleReport>>('etlCycle', {
      workflowId: cycleWorkflowId('mobile-geolocation', END),
      taskQueue,
      args: [{ pipeline: 'mobile-geolocation', intervalEnd: END }],
    }),
  );
  return { report, calls };
}
const told = (calls: readonly Call[]) => calls.filter((call) => call.name === 'announceOutcome').map((call) => (call.input as { readonly outcome: string }).outcome);

test('nobody decides: at the deadline the declaration does, after a reminder each time that it declares (X9)', async () => {
  const { report, calls } = await heldNight({ deadlineMinutes: 180, atDeadline: 'reject', remindEveryMinutes: 60 });

  expect(report).toMatchObject({ outcome: 'rejected', decision: { decision: 'reject', automatic: true }, reason: expect.stringContaining('nobody decided within 180 minutes') as string });
  expect(told(calls)).toEqual(['held', 'reminder', 'reminder', 'rejected']);
  expect(calls.map((call) => call.name)).not.toContain('createCandidate');
});

test('a declaration may also approve at the deadline', async () => {
  const { report, calls } = await heldNight({ deadlineMinutes: 30, atDeadline: 'approve', remindEveryMinutes: 60 });

  expect(report).toMatchObject({ outcome: 'promoted', decision: { decision: 'approve', by: 'declaration' } });
  expect(calls).toContainEqual({ name: 'promote', input: expect.objectContaining({ metadata: expect.objectContaining({ approvedBy: 'declaration' }) as unknown }) as unknown });
});

test('a topic that is down delays no decision and fails no cycle', async () => {
  const { report } = await heldNight(
    { deadlineMinutes: 30, atDeadline: 'approve', remindEveryMinutes: 10 },
    {
      announceOutcome: async ({ outcome }) => {
        if (outcome === 'promoted') return { announced: true };
        throw ApplicationFailure.create({ message: 'SNS does not answer' });
      },
    },
  );

  expect(report).toMatchObject({ outcome: 'promoted', decision: { automatic: true } });
});
