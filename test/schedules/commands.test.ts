import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WorkflowFailedError } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { createPipelineActivities } from '../../activities/pipelines';
import { lastClosedInterval, nextTicks } from '../../domain/calendar';
import { cycleWorkflowId } from '../../domain/cycle';
import type { CycleReport } from '../../domain/progress';
import { UsageError } from '../../cli/output';
import { runCommand } from '../../cli/run';
import { schedulesCommand } from '../../cli/schedules';
import { ownedIds } from '../../cli/schedules/reconcile';
import { scheduledPipeline } from '../../cli/schedules/selection';
import type { ListedSchedule } from '../../cli/schedules/text';
import { pipelines } from '../../pipelines';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import { faultPipeline } from '../faults/pipeline';
import { startTestEnvironment } from '../support/temporal';
import { withWorker } from '../support/worker';
import { fakeActivities } from '../workflows/fake-activities';

const PIPELINE = 'mobile-geolocation';
const SCHEDULE = `etl/${PIPELINE}`;
const { resolvePipeline } = createPipelineActivities({ pipelines });
const environmentBefore = { ...process.env };
let environment: TestWorkflowEnvironment;
let home: string;

beforeAll(async () => {
  environment = await startTestEnvironment();
  home = mkdtempSync(join(tmpdir(), 'meridian-no-stack-'));
  Object.assign(process.env, { TEMPORAL_ADDRESS: environment.address, MERIDIAN_HOME: home });
});
afterAll(async () => {
  process.env = environmentBefore;
  rmSync(home, { recursive: true });
  await environment?.teardown();
});
beforeEach(async () => {
  process.env['MERIDIAN_TASK_QUEUE'] = 'nobody-polls-this';
  await environment.client.schedule.getHandle(SCHEDULE).delete().catch(() => undefined);
});

/** What a command prints on stdout. */
async function schedules(...args: readonly string[]): Promise<string> {
  let printed = '';
  const write = jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += String(text);
    return true;
  });
  try {
    await schedulesCommand().exitOverride().parseAsync(args, { from: 'user' });
    return printed;
  } finally {
    write.mockRestore();
  }
}

const json = async <T>(...args: readonly string[]) => JSON.parse(await schedules(...args, '--json')) as T;

async function listed(): Promise<ListedSchedule | undefined> {
  while (!(await ownedIds(environment.client)).includes(SCHEDULE)) await new Promise((resolve) => setTimeout(resolve, 100));
  return (await json<ListedSchedule[]>('list')).find(({ scheduleId }) => scheduleId === SCHEDULE);
}

test('plan, apply and apply again: created, then no change, in words and as JSON (S2.11, S4.18)', async () => {
  expect(await schedules('plan')).toMatch(/^\+ etl\/mobile-geolocation\n {4}ticks: 0 0 \* \* \*\n {4}timeZone: UTC\n {4}overlap: buffer-all\n {4}catchupWindowHours: 72\n/);
  expect(await json('apply')).toMatchObject({ applied: true, steps: [{ kind: 'create', scheduleId: SCHEDULE }] });
  expect(await schedules('apply')).toBe(`= ${SCHEDULE}\nno change\n`);
  expect(await json('plan')).toEqual({ applied: false, steps: [{ kind: 'unchanged', scheduleId: SCHEDULE }] });
  expect((await listed())?.nextTicks).toEqual(nextTicks(mobileGeolocation, new Date(), 3));
});

test('a pause is listed with its reason, and a resume ends it', async () => {
  await schedules('apply');

  expect(await schedules('pause', PIPELINE, '--reason', 'the source is being moved')).toBe(`${SCHEDULE} is paused: the source is being moved\n`);
  expect(await listed()).toMatchObject({ paused: true, note: 'the source is being moved' });
  expect(await json('resume', PIPELINE)).toEqual({ scheduleId: SCHEDULE, paused: false, note: 'resumed by `meridian schedules`' });
  expect(await listed()).toMatchObject({ paused: false });
  expect(await schedules('list')).toMatch(/^etl\/mobile-geolocation {2}0 0 \* \* \* UTC {2}active .*\n {2}next {2}\d{4}-\d\d-\d\dT00:00:00Z/);
});

test('a trigger between two ticks runs the last closed interval, under its own id (S2.11, S4.18)', async () => {
  const { activities, calls } = fakeActivities({ resolvePipeline });
  await withWorker(environment, activities, async (taskQueue) => {
    process.env['MERIDIAN_TASK_QUEUE'] = taskQueue;
    await schedules('apply');
    const { end } = lastClosedInterval(new Date(), mobileGeolocation);

    const triggered = await json<{ workflowId: string }>('trigger', PIPELINE);

    expect(triggered).toEqual({ scheduleId: SCHEDULE, workflowId: cycleWorkflowId(PIPELINE, end), intervalEnd: end });
    let started = await listed();
    while ((started?.lastActions.length ?? 0) === 0) started = await listed();
    const ofTheTrigger = started?.lastActions[0]?.workflowId ?? '';
    expect(ofTheTrigger).not.toBe(triggered.workflowId);
    const report = (await environment.client.workflow.getHandle(ofTheTrigger).result()) as CycleReport;
    expect(report).toMatchObject({ outcome: 'promoted', workflowId: triggered.workflowId, cycle: { intervalEnd: end } });
    expect(calls.filter(({ name }) => name === 'openCycle')).toHaveLength(1);
  });
});

test('a trigger while a cycle runs waits for it, as declared, and a list says so', async () => {
  await schedules('apply');
  await schedules('trigger', PIPELINE);
  let first = await listed();
  while (first?.running.length !== 1) first = await listed();

  expect(await json('trigger', PIPELINE)).toMatchObject({ scheduleId: SCHEDULE, after: first.running[0] });

  let second = await listed();
  while (second?.waitingTicks === 0 && second.lastActions.length === 1) second = await listed();
  expect(second).toMatchObject({ running: first.running, waitingTicks: 1 });
  expect(await schedules('list')).toContain(`as ${first.running[0]}, still running\n  ticks that wait for what runs: 1\n`);
  await environment.client.workflow.getHandle(first.running[0] ?? '').terminate();
});

test('a tick starts the cycle of the interval that ends there, as its own execution (S2.11)', async () => {
  const { activities, calls } = fakeActivities({ resolvePipeline });
  const ticks = ['2026-11-22T00:00:00Z', '2026-11-23T00:00:00Z'];
  await withWorker(environment, activities, async (taskQueue) => {
    process.env['MERIDIAN_TASK_QUEUE'] = taskQueue;
    await schedules('apply');

    // Temporal's own backfill fires the ticks of a time that has passed as it fires those to come.
    await environment.client.schedule.getHandle(SCHEDULE).backfill({ start: new Date(ticks[0] ?? ''), end: new Date(ticks[1] ?? ''), overlap: 'BUFFER_ALL' });

    let last = await listed();
    while (last?.lastActions[0]?.dueAt !== ticks[1]) last = await listed();
    for (const tick of ticks) await environment.client.workflow.getHandle(cycleWorkflowId(PIPELINE, tick)).result();
    const opened = calls.filter(({ name }) => name === 'openCycle').map(({ input }) => input);
    expect(opened).toEqual(ticks.map((tick) => expect.objectContaining({ intervalEnd: tick, workflowId: cycleWorkflowId(PIPELINE, tick) }) as unknown));
  });
});

test('bad input is one clear error each, and nothing is started', async () => {
  const future = nextTicks(mobileGeolocation, new Date(), 1)[0] ?? '';

  await expect(schedules('pause', 'nope')).rejects.toThrow(new UsageError(`No pipeline is named "nope": declared are ${PIPELINE}`));
  for (const command of ['pause', 'resume', 'trigger']) {
    await expect(schedules(command, PIPELINE)).rejects.toThrow(`The server has no Schedule ${SCHEDULE}: \`meridian schedules apply\` makes it`);
  }
  expect(() => scheduledPipeline([faultPipeline('by-hand')], 'by-hand')).toThrow(new UsageError(`Pipeline "by-hand" declares no schedule: give it one in pipelines/, then \`meridian schedules apply\``));
  await expect(runCommand().parseAsync([PIPELINE, '--interval-end', future], { from: 'user' })).rejects.toThrow(/is in the future: the last interval that has closed ended at/);
  await expect(runCommand().parseAsync([PIPELINE, '--interval-end', '2026-11-20T05:00:00Z'], { from: 'user' })).rejects.toThrow(/nearest ones end at 2026-11-20T00:00:00Z and 2026-11-21T00:00:00Z/);
  for (const end of [future, '2026-11-20T00:00:00Z']) await expect(environment.client.workflow.getHandle(cycleWorkflowId(PIPELINE, end)).describe()).rejects.toThrow(/not found/i);
});

test('a cycle that plain Temporal starts for an interval in the future fails by name, and opens nothing', async () => {
  const { activities, calls } = fakeActivities({ resolvePipeline });
  const future = nextTicks(mobileGeolocation, new Date(), 2)[1] ?? '';

  const error: unknown = await withWorker(environment, activities, (taskQueue) =>
    environment.client.workflow
      .execute('etlCycle', { workflowId: cycleWorkflowId(PIPELINE, future), taskQueue, args: [{ pipeline: PIPELINE, intervalEnd: future }] })
      .catch((failure: unknown) => failure),
  );

  expect(error).toBeInstanceOf(WorkflowFailedError);
  expect(error).toMatchObject({ cause: { cause: { type: 'InvalidInterval', message: expect.stringContaining('is in the future') as string } } });
  expect(calls.map(({ name }) => name)).not.toContain('openCycle');
});
