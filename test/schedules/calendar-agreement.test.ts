import { msToTs, tsToDate } from '@temporalio/common/lib/time';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { intervalsBetween } from '../../domain/calendar';
import { toRfc3339 } from '../../domain/data-interval';
import type { ScheduleSpec } from '../../domain/pipeline-spec';
import { scheduleOptions, type ScheduledPipeline } from '../../cli/schedules/desired';
import { startTestEnvironment } from '../support/temporal';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';

let environment: TestWorkflowEnvironment;

beforeAll(async () => {
  environment = await startTestEnvironment();
});
afterAll(async () => {
  await environment?.teardown();
});

let made = 0;

/** Ticks in `(from, to]` as the server lists them for the Schedule that `schedules apply` would make. */
async function serverTicks(spec: ScheduledPipeline, from: string, to: string): Promise<readonly string[]> {
  const options = { ...scheduleOptions(spec, 'nobody'), scheduleId: `agreement-${(made += 1)}`, state: { paused: true } };
  const handle = await environment.client.schedule.create(options);
  const answer = await environment.client.workflowService.listScheduleMatchingTimes({
    namespace: environment.client.options.namespace,
    scheduleId: handle.scheduleId,
    startTime: msToTs(Date.parse(from)),
    endTime: msToTs(Date.parse(to)),
  });
  return (answer.startTime ?? []).map((tick) => toRfc3339(tsToDate(tick)));
}

function pipeline(schedule: Pick<ScheduleSpec, 'cron' | 'everyHours' | 'timeZone'>, intervalHours = 24): ScheduledPipeline {
  return { ...mobileGeolocation, intervalHours, schedule: { ...schedule, overlap: 'skip', catchupWindowHours: 1 } };
}

function calendarTicks(spec: ScheduledPipeline, from: string, to: string): readonly string[] {
  return intervalsBetween(spec, from, to).map(({ end }) => end);
}

/** A week around each change of clocks in 2026 and 2027. */
const CHANGES: Readonly<Record<string, readonly string[]>> = {
  'Europe/Zurich': ['2026-03-29', '2026-10-25', '2027-03-28', '2027-10-31'],
  'America/New_York': ['2026-03-08', '2026-11-01', '2027-03-14', '2027-11-07'],
  'Europe/London': ['2026-03-29', '2026-10-25'],
  'America/Santiago': ['2026-04-05', '2026-09-06'],
  'Africa/Cairo': ['2026-04-24', '2026-10-30'],
  'Asia/Kolkata': ['2026-06-01'],
};

test.each(['30 2 * * *', '0 0 * * *', '30 1 * * *', '0 3 * * *', '0 23 * * *', '15 * * * *', '0 */6 * * *', '30 1-3 * * *', '0 5 * * MON', '0 0 * * SAT,SUN'])(
  'the calendar and the server name the same ticks of "%s" over the days on which clocks change, in six time zones (S2.11)',
  async (cron) => {
    for (const [timeZone, changes] of Object.entries(CHANGES)) {
      const spec = pipeline({ cron, timeZone });
      for (const change of changes) {
        const [from, to] = [-4, 4].map((days) => toRfc3339(new Date(Date.parse(change) + days * 86_400_000)));
        expect({ timeZone, change, ticks: calendarTicks(spec, from ?? '', to ?? '') }).toEqual({
          timeZone,
          change,
          ticks: await serverTicks(spec, from ?? '', to ?? ''),
        });
      }
    }
  },
);

test.each([1, 6, 24, 168])('the calendar and the server name the same ticks of an interval of %i hours (S2.11)', async (hours) => {
  const spec = pipeline({ everyHours: hours }, hours);

  expect(calendarTicks(spec, '2026-03-28T12:34:56Z', '2026-04-12T00:00:00Z')).toEqual(await serverTicks(spec, '2026-03-28T12:34:56Z', '2026-04-12T00:00:00Z'));
});

test('the server reads a cron as the calendar does: steps, ranges, names, both Sundays (S2.11)', async () => {
  for (const cron of ['5 */5 * * *', '5 3/7 * * *', '0 1-20/4,22 * * *', '0 0 1,15,31 * *', '0 0 */10 JAN-jun/2 *', '0 0 * * 5-7', '0 0 * * */2', '0 0 * * 1/3', '0 0 * * mon,WED,7', '0 0 29 2 *']) {
    const spec = pipeline({ cron });
    const [from, to] = ['2027-12-01T00:00:00Z', '2028-03-05T00:00:00Z'];
    expect({ cron, ticks: calendarTicks(spec, from, to) }).toEqual({ cron, ticks: await serverTicks(spec, from, to) });
  }
});
