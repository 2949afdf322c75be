import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { PipelineSpec, ScheduleSpec } from '../../domain/pipeline-spec';
import { scheduleOptions, type ScheduledPipeline } from '../../cli/schedules/desired';
import { applySchedules, described, ownedIds, planSchedules } from '../../cli/schedules/reconcile';
import { scheduledPipelines } from '../../cli/schedules/selection';
import { listedSchedule, scheduleText, stepsText } from '../../cli/schedules/text';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import { startTestEnvironment } from '../support/temporal';

const TASK_QUEUE = 'nobody-polls-this';
const NIGHTLY: ScheduleSpec = { cron: '0 0 * * *', timeZone: 'Europe/Zurich', overlap: 'buffer-all', catchupWindowHours: 72 };
let environment: TestWorkflowEnvironment;

beforeAll(async () => {
  environment = await startTestEnvironment();
});
afterAll(async () => {
  await environment?.teardown();
});
afterEach(async () => {
  // The server's list follows its Schedules within a moment.
  for (let left = -1; left !== 0; ) {
    left = 0;
    for await (const { scheduleId } of environment.client.schedule.list()) {
      left += 1;
      await environment.client.schedule.getHandle(scheduleId).delete().catch(() => undefined);
    }
  }
});

function pipeline(name: string, schedule: ScheduleSpec = NIGHTLY, intervalHours = 24): ScheduledPipeline {
  return { ...mobileGeolocation, name, intervalHours, schedule };
}

async function plan(...specs: ScheduledPipeline[]) {
  return planSchedules(environment.client, specs, TASK_QUEUE);
}

async function apply(specs: readonly ScheduledPipeline[], { prune = false } = {}) {
  const steps = await planSchedules(environment.client, specs, TASK_QUEUE);
  await applySchedules(environment.client, specs, TASK_QUEUE, { steps, prune });
  return steps;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 100));
}

test('a declared Schedule is created once: applied twice is no change, for every kind of declaration (S2.11, S4.18)', async () => {
  const specs = [
    pipeline('nightly'),
    pipeline('weekdays', { cron: '15 2-4 * mar,APR 1-5', timeZone: 'America/New_York', overlap: 'skip', catchupWindowHours: 1, jitterSeconds: 90, pauseOnFailure: true }, 24 * 31),
    pipeline('hourly', { everyHours: 6, overlap: 'buffer-one', catchupWindowHours: 24 }, 6),
    pipeline('sundays', { cron: '0 5 * * 7', overlap: 'buffer-all', catchupWindowHours: 8784 }, 168),
  ];

  expect((await plan(...specs)).map(({ kind }) => kind)).toEqual(['create', 'create', 'create', 'create']);
  await apply(specs);
  const again = await apply(specs);

  expect(again.map(({ kind }) => kind)).toEqual(['unchanged', 'unchanged', 'unchanged', 'unchanged']);
  expect(stepsText(again, false)).toMatch(/no change$/);
  const { action } = await environment.client.schedule.getHandle('etl/nightly').describe();
  expect(action).toMatchObject({ workflowType: 'etlCycle', workflowId: 'etl/nightly', taskQueue: TASK_QUEUE, args: [{ pipeline: 'nightly' }] });
});

test('a change is shown field by field, before and after, and a spelling of the same ticks is none (S2.11)', async () => {
  await apply([pipeline('nightly')]);
  const changed = pipeline('nightly', { ...NIGHTLY, cron: '30 1 * * *', timeZone: 'UTC', overlap: 'skip', jitterSeconds: 5 });

  expect(await plan(pipeline('nightly', { ...NIGHTLY, cron: '00 0 1-31 * 0-7' }))).toEqual([{ kind: 'unchanged', scheduleId: 'etl/nightly' }]);
  const steps = await plan(changed);
  expect(steps).toEqual([
    {
      kind: 'change',
      scheduleId: 'etl/nightly',
      changes: [
        { field: 'ticks', before: '0 0 * * *', after: '30 1 * * *' },
        { field: 'timeZone', before: 'Europe/Zurich', after: 'UTC' },
        { field: 'overlap', before: 'buffer-all', after: 'skip' },
        { field: 'jitterSeconds', before: '0', after: '5' },
      ],
    },
  ]);
  expect(stepsText(steps, false)).toContain('    timeZone: Europe/Zurich → UTC');
  await apply([changed]);
  expect(await plan(changed)).toEqual([{ kind: 'unchanged', scheduleId: 'etl/nightly' }]);
});

test("what somebody changed by hand is shown and put right, and a person's pause stays with its reason (S2.11)", async () => {
  const spec = pipeline('nightly');
  await apply([spec]);
  const handle = environment.client.schedule.getHandle('etl/nightly');
  await handle.pause('the source is being moved');
  await handle.update((previous) => ({
    ...previous,
    spec: { calendars: [{ hour: 4, second: 30 }], intervals: [{ every: '2 hours' }], endAt: new Date('2030-01-01T00:00:00Z') },
    policies: { ...previous.policies, overlap: 'ALLOW_ALL' },
    state: { ...previous.state, remainingActions: 3 },
  }));

  const [step] = await apply([spec]);

  expect(step).toMatchObject({
    kind: 'change',
    changes: [
      { field: 'ticks', before: '0 4 * * * at seconds 30 and every 2 h', after: '0 0 * * *' },
      { field: 'timeZone', before: 'UTC', after: 'Europe/Zurich' },
      { field: 'overlap', before: 'allow-all', after: 'buffer-all' },
      { field: 'limits', before: 'until 2030-01-01T00:00:00.000Z, 3 more actions', after: 'none' },
    ],
  });
  expect(await plan(spec)).toEqual([{ kind: 'unchanged', scheduleId: 'etl/nightly' }]);
  expect((await handle.describe()).state).toMatchObject({ paused: true, note: 'the source is being moved' });
});

test("a list shows ticks in UTC, in the Schedule's zone and in the reader's", async () => {
  await apply([pipeline('nightly')]);
  const description = await environment.client.schedule.getHandle('etl/nightly').describe();
  const listed = { ...listedSchedule(description), nextTicks: ['2026-07-01T22:00:00Z'], note: 'resumed', missedTicks: 2 };

  expect(scheduleText(listed, 'America/New_York').split('\n')).toEqual([
    'etl/nightly  0 0 * * * Europe/Zurich  active (resumed)',
    '  next  2026-07-01T22:00:00Z  2026-07-02 00:00 Europe/Zurich  2026-07-01 18:00 America/New_York',
    '  ticks older than the catch-up window, to be made up with `meridian backfill`: 2',
  ]);
});

test('a Schedule of ours that nobody declares is reported, and removed with --prune alone; one that is not ours is never touched (S2.11)', async () => {
  await apply([pipeline('kept'), pipeline('dropped')]);
  await environment.client.schedule.create({ ...scheduleOptions(pipeline('theirs'), TASK_QUEUE), memo: { team: 'theirs' } });
  await until(async () => (await ownedIds(environment.client)).length === 2);

  const reported = await apply([pipeline('kept')]);
  expect(reported).toEqual([{ kind: 'unchanged', scheduleId: 'etl/kept' }, { kind: 'undeclared', scheduleId: 'etl/dropped' }]);
  expect(stepsText(reported, false)).toMatch(/^\? etl\/dropped: no pipeline declares it; `schedules apply --prune` removes it$/m);
  expect(await described(environment.client, 'etl/dropped')).toBeDefined();

  await apply([pipeline('kept')], { prune: true });
  expect(await apply([pipeline('kept')], { prune: true })).toEqual([{ kind: 'unchanged', scheduleId: 'etl/kept' }]);
  expect(await described(environment.client, 'etl/dropped')).toBeUndefined();
  expect(await described(environment.client, 'etl/theirs')).toBeDefined();
});

test('a Schedule of another maker in the way is named, and nothing is changed (S2.11)', async () => {
  await environment.client.schedule.create({ ...scheduleOptions(pipeline('theirs'), TASK_QUEUE), memo: { team: 'theirs' } });

  await expect(apply([pipeline('ours'), pipeline('theirs')])).rejects.toThrow(/^Nothing was changed: Meridian did not make the Schedule etl\/theirs/);

  expect(await described(environment.client, 'etl/ours')).toBeUndefined();
});

test('a cron that never fires and a zone that does not exist are refused together, and nothing is changed', () => {
  const specs: readonly PipelineSpec[] = [
    pipeline('sound'),
    pipeline('february', { ...NIGHTLY, cron: '0 0 30 2 *' }),
    pipeline('mars', { ...NIGHTLY, timeZone: 'Mars/Olympus' }),
  ];

  expect(() => scheduledPipelines(specs)).toThrow(
    /^Nothing was changed: the declarations have 2 fault\(s\)\n {2}february: schedule\.cron: "0 0 30 2 \*" never fires.*\n {2}mars: schedule\.timeZone: expected an IANA name/,
  );
});
