import fc from 'fast-check';
import { chunkKey } from '../../activities/ledger/keys';
import { clientToken } from '../../activities/client-token';
import { cycleId, type CycleRef, cycleWorkflowId, generationPrefix } from '../../domain/cycle';
import { intervalEndingAt, lastClosedInterval } from '../../domain/calendar';
import { compactInstant, isCanonicalInstant, toRfc3339 } from '../../domain/data-interval';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const day = fc.integer({ min: 1, max: 2_900_000 }).map((days) => days * DAY_MS); // 1970 to the year 9909
const divisor = fc.constantFrom(1, 2, 3, 4, 6, 8, 12, 24);
const intervalHours = fc.oneof(divisor, fc.integer({ min: 1, max: 31 }).map((days) => days * 24));
const pipelineName = fc.stringMatching(/^[a-z][a-z0-9-]{1,31}$/);
const instant = fc.date({ min: new Date(40 * DAY_MS), max: new Date(2_900_000 * DAY_MS), noInvalidDate: true });

const cycle = fc.record({
  pipeline: pipelineName,
  dataset: fc.stringMatching(/^[a-z][a-z0-9_]{1,31}$/),
  intervalEnd: instant.map((each) => toRfc3339(new Date(Math.floor(each.getTime() / HOUR_MS) * HOUR_MS))),
  generation: fc.integer({ min: 1, max: 20_000 }),
}).map((parts): CycleRef => ({ ...parts, intervalStart: parts.intervalEnd }));

test('an interval is half-open, as long as declared, ends where it is asked to, and is spelt in one way', () => {
  fc.assert(
    fc.property(instant, intervalHours, fc.constantFrom(0, 90, -330, 840), (at, hours, offsetMinutes) => {
      const lengthMs = hours * HOUR_MS;
      const endMs = Math.ceil(at.getTime() / lengthMs) * lengthMs;
      const sign = offsetMinutes < 0 ? '-' : '+';
      const offset = `${sign}${String(Math.floor(Math.abs(offsetMinutes) / 60)).padStart(2, '0')}:${String(Math.abs(offsetMinutes) % 60).padStart(2, '0')}`;
      const local = `${new Date(endMs + offsetMinutes * 60_000).toISOString().slice(0, 19)}${offset}`;

      const interval = intervalEndingAt(local, { intervalHours: hours });

      expect(interval).toEqual({ start: toRfc3339(new Date(endMs - lengthMs)), end: toRfc3339(new Date(endMs)) });
      expect([interval.start, interval.end].every(isCanonicalInstant)).toBe(true);
    }),
  );
});

test('the intervals of a day tile it in UTC: no gap, no overlap, and each instant is in the one that closes next', () => {
  fc.assert(
    fc.property(day, divisor, fc.nat(DAY_MS - 1), (dayMs, hours, intoDayMs) => {
      const ends = Array.from({ length: 24 / hours }, (_, index) => toRfc3339(new Date(dayMs + (index + 1) * hours * HOUR_MS)));
      const intervals = ends.map((end) => intervalEndingAt(end, { intervalHours: hours }));

      expect(intervals[0]?.start).toBe(toRfc3339(new Date(dayMs)));
      expect(intervals.at(-1)?.end).toBe(toRfc3339(new Date(dayMs + DAY_MS)));
      expect(intervals.slice(1).map(({ start }) => start)).toEqual(intervals.slice(0, -1).map(({ end }) => end));
      const holding = intervals.filter(({ start, end }) => Date.parse(start) <= dayMs + intoDayMs && dayMs + intoDayMs < Date.parse(end));
      expect(holding).toHaveLength(1);
      expect(lastClosedInterval(new Date(dayMs + intoDayMs), { intervalHours: hours }).end).toBe(holding[0]?.start);
    }),
  );
});

test('the last closed interval has closed, and the next one has not', () => {
  fc.assert(
    fc.property(instant, intervalHours, (at, hours) => {
      const { start, end } = lastClosedInterval(at, { intervalHours: hours });

      expect(Date.parse(end)).toBeLessThanOrEqual(at.getTime());
      expect(Date.parse(end) + hours * HOUR_MS).toBeGreaterThan(at.getTime());
      expect(intervalEndingAt(end, { intervalHours: hours })).toEqual({ start, end });
    }),
  );
});

test('text that names no instant is refused, never taken for another one', () => {
  const unreal = fc.constantFrom(
    '2018-02-30T00:00:00Z', '2018-02-29T00:00:00Z', '2018-04-31T00:00:00Z', '2018-08-01T24:00:00Z', '2018-13-01T00:00:00Z', '2018-00-01T00:00:00Z',
    '2018-08-00T00:00:00Z', '1Z', '2018-08-02 00:00:00Z', '2018-08-02T00:00:00', '2018-08-02', 'Thu, 02 Aug 2018 00:00:00 Z', '+010000-01-01T00:00:00Z', '',
  );
  fc.assert(
    fc.property(fc.oneof(unreal, fc.string(), fc.string().map((text) => `${text}Z`), fc.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:00:00Z$/)), (text) => {
      const spelt = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(text);
      const parsed = spelt ? new Date(text) : undefined;
      const real = parsed !== undefined && !Number.isNaN(parsed.getTime()) && toRfc3339(parsed) === text;

      if (!real && text.endsWith('Z')) expect(() => intervalEndingAt(text, { intervalHours: 1 })).toThrow(RangeError);
      else if (real && parsed.getTime() % HOUR_MS === 0) expect(intervalEndingAt(text, { intervalHours: 1 }).end).toBe(text);
    }),
    { numRuns: 1_000, examples: [['2018-02-30T00:00:00Z'], ['2018-08-01T24:00:00Z']] },
  );
});

test('ids, prefixes, tokens and chunk keys of two cycles are equal only when the cycles are (I2, I5)', () => {
  const change = fc.oneof(
    fc.constant({}),
    cycle.map(({ pipeline }) => ({ pipeline })),
    cycle.map(({ intervalEnd }) => ({ intervalEnd })),
    fc.constantFrom(1, 10, 100, 1_000, 9_999, 10_000, 100_000).map((by) => ({ by })),
  );
  const near = fc.tuple(cycle, change).map(([a, { by = 0, ...other }]: [CycleRef, Partial<CycleRef> & { readonly by?: number }]) => {
    return [a, { ...a, ...other, generation: a.generation + by }] as const;
  });
  fc.assert(
    fc.property(near, fc.nat(2_000_000), fc.nat(2_000_000), (pair, chunkA, chunkB) => {
      const [a, b] = pair;
      const sameCycle = a.pipeline === b.pipeline && a.intervalEnd === b.intervalEnd;
      const sameGeneration = sameCycle && a.generation === b.generation;

      expect(cycleWorkflowId(a.pipeline, a.intervalEnd) === cycleWorkflowId(b.pipeline, b.intervalEnd)).toBe(sameCycle);
      expect(cycleId(a) === cycleId(b)).toBe(sameCycle);
      expect(generationPrefix(a) === generationPrefix(b)).toBe(sameGeneration);
      expect(clientToken(a, 'transform') === clientToken(b, 'transform')).toBe(sameGeneration);
      expect(chunkKey(a, chunkA).sk === chunkKey(b, chunkB).sk).toBe(sameGeneration && chunkA === chunkB);
    }),
  );
});

test('a workflow id says its pipeline and interval again, and a compact instant its instant', () => {
  fc.assert(
    fc.property(cycle, ({ pipeline, intervalEnd }) => {
      const [, name, end] = /^etl\/(.+)-(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)$/.exec(cycleWorkflowId(pipeline, intervalEnd)) ?? [];

      expect([name, end]).toEqual([pipeline, intervalEnd]);
      expect(compactInstant(intervalEnd).replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z')).toBe(intervalEnd);
    }),
  );
});

test('a token is one that EMR Serverless and Glue take: 64 characters of their alphabet', () => {
  fc.assert(fc.property(cycle, fc.string(), (each, step) => expect(clientToken(each, step)).toMatch(/^[A-Za-z0-9._-]{64}$/)));
});
