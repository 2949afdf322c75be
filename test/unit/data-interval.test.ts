import fc from 'fast-check';
import { intervalEndingAt, lastClosedInterval } from '../../domain/calendar';
import { compactInstant, isCanonicalInstant, toRfc3339 } from '../../domain/data-interval';

const instant = fc.date({ min: new Date('2000-01-01'), max: new Date('2100-01-01'), noInvalidDate: true });
const lengthHours = fc.constantFrom(1, 2, 3, 4, 6, 8, 12, 24, 48);

test('the last closed interval ends at or before the instant, and the next one after it', () => {
  fc.assert(
    fc.property(instant, lengthHours, (now, hours) => {
      const { start, end } = lastClosedInterval(now, { intervalHours: hours });

      expect(Date.parse(end)).toBeLessThanOrEqual(now.getTime());
      expect(Date.parse(end) + hours * 3_600_000).toBeGreaterThan(now.getTime());
      expect(Date.parse(end) - Date.parse(start)).toBe(hours * 3_600_000);
    }),
  );
});

test('consecutive intervals tile time: one ends where the next starts', () => {
  fc.assert(
    fc.property(instant, lengthHours, (now, hours) => {
      const first = lastClosedInterval(now, { intervalHours: hours });
      const next = intervalEndingAt(toRfc3339(new Date(Date.parse(first.end) + hours * 3_600_000)), { intervalHours: hours });

      expect(next.start).toBe(first.end);
    }),
  );
});

test('an end with an offset is the same interval as its UTC spelling', () => {
  expect(intervalEndingAt('2018-08-02T02:00:00+02:00', { intervalHours: 24 })).toEqual({ start: '2018-08-01T00:00:00Z', end: '2018-08-02T00:00:00Z' });
});

test.each(['', 'yesterday', '2018-08-02', '2018-08-02T00:00:00', "2018-08-02T00:00:00Z'; drop table", '99999'])(
  'an end that is no instant (%j) is refused and the expected form named',
  (end) => {
    expect(() => intervalEndingAt(end, { intervalHours: 24 })).toThrow(/RFC 3339/);
  },
);

test('an end between two intervals is refused and both neighbours named', () => {
  expect(() => intervalEndingAt('2018-08-02T05:00:00Z', { intervalHours: 24 })).toThrow(/2018-08-02T00:00:00Z and 2018-08-03T00:00:00Z/);
});

test('canonical instants survive a round trip, and compact ones keep their order', () => {
  fc.assert(
    fc.property(instant, instant, (a, b) => {
      expect(isCanonicalInstant(toRfc3339(a))).toBe(true);
      const [first, second] = [toRfc3339(a), toRfc3339(b)].sort();
      expect([compactInstant(second ?? ''), compactInstant(first ?? '')].sort()).toEqual([compactInstant(first ?? ''), compactInstant(second ?? '')]);
    }),
  );
  expect(isCanonicalInstant('2018-08-02T00:00:00.000Z')).toBe(false);
  expect(isCanonicalInstant('2018-02-30T00:00:00Z')).toBe(false);
});
