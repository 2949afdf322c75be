import fc from 'fast-check';
import { intervalEndingAt, intervalsBetween, lastClosedInterval, longestIntervalHours, nextTicks, requestedInterval } from '../../domain/calendar';
import { cronFields, parseCron } from '../../domain/cron';
import type { ScheduleSpec } from '../../domain/pipeline-spec';
import { isTimeZone } from '../../domain/time-zone';

const HOUR_MS = 3_600_000;
const calendar = (cron: string, timeZone: string, intervalHours = 24) => {
  const schedule: ScheduleSpec = { cron, timeZone, overlap: 'buffer-all', catchupWindowHours: 72 };
  return { intervalHours, schedule };
};
const hours = ({ start, end }: { start: string; end: string }) => (Date.parse(end) - Date.parse(start)) / HOUR_MS;

const zone = fc.constantFrom('UTC', 'Europe/Zurich', 'Europe/London', 'America/New_York', 'America/Santiago', 'Asia/Kolkata', 'Africa/Cairo', 'Australia/Lord_Howe', 'Pacific/Chatham');
const minute = fc.integer({ min: 0, max: 59 });
const cron = fc.oneof(
  fc.tuple(minute, fc.integer({ min: 0, max: 23 })).map(([at, hour]) => `${at} ${hour} * * *`),
  fc.tuple(minute, fc.constantFrom('*', '*/2', '0,6,12,18', '1-3')).map(([at, hour]) => `${at} ${hour} * * *`),
  fc.tuple(minute, fc.integer({ min: 0, max: 23 }), fc.constantFrom('MON', '1-5', '0,3', '7')).map(([at, hour, day]) => `${at} ${hour} * * ${day}`),
);
const spec = fc.tuple(cron, zone).map(([expression, name]) => calendar(expression, name, 168));
const instant = fc.date({ min: new Date('2015-01-01T00:00:00Z'), max: new Date('2035-01-01T00:00:00Z'), noInvalidDate: true });

test('intervals of a calendar tile: each instant lies in one, and the next begins where it ends, whatever the clocks do (S2.11)', () => {
  fc.assert(
    fc.property(spec, instant, (each, at) => {
      const ends = nextTicks(each, at, 8);
      const intervals = ends.map((end) => intervalEndingAt(end, each));

      intervals.forEach(({ start, end }, index) => {
        expect(start < end).toBe(true);
        if (index > 0) expect(start).toBe(intervals[index - 1]?.end);
        expect(hours({ start, end })).toBeLessThanOrEqual(longestIntervalHours(each));
      });
      expect(Date.parse(intervals[0]?.start ?? '')).toBeLessThanOrEqual(at.getTime());
      expect(Date.parse(intervals[0]?.end ?? '')).toBeGreaterThan(at.getTime());
      expect(lastClosedInterval(at, each).end).toBe(intervals[0]?.start);
    }),
    { numRuns: 60 },
  );
});

test('the intervals between two instants are those of their parts, wherever the range is cut (S2.11)', () => {
  fc.assert(
    fc.property(spec, instant, fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 400 }), (each, at, before, after) => {
      const [from, cut, to] = [at, new Date(at.getTime() + before * HOUR_MS), new Date(at.getTime() + (before + after) * HOUR_MS)].map((one) => one.toISOString());
      const whole = intervalsBetween(each, from ?? '', to ?? '');

      expect([...intervalsBetween(each, from ?? '', cut ?? ''), ...intervalsBetween(each, cut ?? '', to ?? '')]).toEqual(whole);
      for (const interval of whole) expect(intervalEndingAt(interval.end, each)).toEqual(interval);
    }),
    { numRuns: 25 },
  );
});

test('a nightly at local midnight has 23 hours in spring and 25 in autumn, in two time zones (S2.11)', () => {
  expect(hours(intervalEndingAt('2026-03-29T22:00:00Z', calendar('0 0 * * *', 'Europe/Zurich')))).toBe(23);
  expect(hours(intervalEndingAt('2026-10-25T23:00:00Z', calendar('0 0 * * *', 'Europe/Zurich')))).toBe(25);
  expect(hours(intervalEndingAt('2026-03-09T04:00:00Z', calendar('0 0 * * *', 'America/New_York')))).toBe(23);
  expect(hours(intervalEndingAt('2026-11-02T05:00:00Z', calendar('0 0 * * *', 'America/New_York')))).toBe(25);
});

test('a time that spring skips has no tick: the interval of the night after holds both nights (S2.11)', () => {
  const zurich = calendar('30 2 * * *', 'Europe/Zurich');

  expect(nextTicks(zurich, new Date('2026-03-28T01:30:00Z'), 1)).toEqual(['2026-03-30T00:30:00Z']);
  expect(hours(intervalEndingAt('2026-03-30T00:30:00Z', zurich))).toBe(47);
});

test('without a cron, and with one that is plain UTC, intervals are those that every pipeline has had', () => {
  const plain = { intervalHours: 24 };
  const everyHours = { intervalHours: 24, schedule: { everyHours: 24, overlap: 'skip', catchupWindowHours: 1 } } as const;
  fc.assert(
    fc.property(instant, (at) => {
      const interval = lastClosedInterval(at, plain);
      for (const each of [everyHours, calendar('0 0 * * *', 'UTC')]) {
        expect(lastClosedInterval(at, each)).toEqual(interval);
        expect(intervalEndingAt(interval.end, each)).toEqual(interval);
        expect(nextTicks(each, at, 3)).toEqual(nextTicks(plain, at, 3));
      }
    }),
  );
});

test('an instant that is no tick is refused with the two nearest, and one in the future with the last that has closed', () => {
  const zurich = calendar('0 0 * * *', 'Europe/Zurich');
  const now = new Date('2026-11-25T12:00:00Z');

  expect(() => requestedInterval(zurich, '2026-11-25T00:00:00Z', now)).toThrow(
    'is not the end of an interval of "0 0 * * *" in Europe/Zurich: the nearest ones end at 2026-11-24T23:00:00Z and 2026-11-25T23:00:00Z',
  );
  expect(() => requestedInterval(zurich, '2026-11-25T23:00:00Z', now)).toThrow(
    'Interval end "2026-11-25T23:00:00Z" is in the future: the last interval that has closed ended at 2026-11-24T23:00:00Z',
  );
  expect(requestedInterval(zurich, '2026-11-24T00:00:00+01:00', now)).toEqual({ start: '2026-11-22T23:00:00Z', end: '2026-11-23T23:00:00Z' });
  expect(() => intervalsBetween(zurich, '2026-11-25', '2026-11-26')).toThrow(/RFC 3339/);
  expect(() => intervalsBetween(zurich, '2026-11-26T00:00:00Z', '2026-11-25T00:00:00Z')).toThrow(/the first before the second/);
});

test('a cron is read field by field, and every fault is named', () => {
  expect(cronFields('5 */6 * JAN,mar 1-5')).toMatchObject({ minute: [5], hour: [0, 6, 12, 18], month: [1, 3], dayOfWeek: [1, 2, 3, 4, 5] });
  expect(cronFields('0 0 * * 5-7').dayOfWeek).toEqual([0, 5, 6]);
  expect(parseCron('0 24 32 * *')).toEqual({ faults: [expect.stringMatching(/^hour: .*found "24"/), expect.stringMatching(/^dayOfMonth: .*found "32"/)] });
  expect(parseCron('0 0 30 2 *')).toEqual({ faults: [expect.stringMatching(/never fires/)] });
  expect(parseCron('0 0 1 * MON')).toEqual({ faults: [expect.stringMatching(/expected "\*" for the day of the month or/)] });
  for (const bad of ['', '0 0 * *', '@daily', '0 0 * * * *', 'a b c d e', '5-1 0 * * *', '*/0 0 * * *', '0 0 L * *', '*-3 0 * * *']) {
    expect(parseCron(bad)).toEqual({ faults: expect.any(Array) as unknown });
  }
  expect(() => cronFields('0 0 30 2 *')).toThrow(RangeError);
});

test('a zone is an IANA name, never an offset', () => {
  expect(['UTC', 'Europe/Zurich', 'America/Argentina/Buenos_Aires'].map(isTimeZone)).toEqual([true, true, true]);
  expect(['Europe/Zürich', 'Mars/Olympus', '+01:00', '', 'GMT+1'].map(isTimeZone)).toEqual([false, false, false, false, false]);
});
