import { backfillIntervals } from '../../domain/backfill-range';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';

const NOW = new Date('2018-08-20T10:00:00Z');
const rangeOf = (from: string, to: string) => backfillIntervals(mobileGeolocation, { from, to }, NOW);

test('a range has the intervals that begin and end in it, oldest first (X8)', () => {
  expect(rangeOf('2018-08-01T00:00:00Z', '2018-08-03T00:00:00Z')).toEqual([
    { start: '2018-08-01T00:00:00Z', end: '2018-08-02T00:00:00Z' },
    { start: '2018-08-02T00:00:00Z', end: '2018-08-03T00:00:00Z' },
  ]);
});

test.each([
  ['no instant', 'yesterday', '2018-08-03T00:00:00Z', /^from: .*"yesterday" is not an instant/],
  ['between two ticks', '2018-08-01T00:00:00Z', '2018-08-03T06:00:00Z', /^to: .*2018-08-03T00:00:00Z and 2018-08-04T00:00:00Z/],
  ['nothing between them', '2018-08-03T00:00:00Z', '2018-08-03T00:00:00Z', /is empty: expected `from` before `to`/],
  ['the wrong way round', '2018-08-04T00:00:00Z', '2018-08-03T00:00:00Z', /is empty/],
  ['not closed yet', '2018-08-19T00:00:00Z', '2018-08-21T00:00:00Z', /^to: 2018-08-21T00:00:00Z has not come yet, .*ends at 2018-08-20T00:00:00Z/],
  ['a hundred years', '1918-08-19T00:00:00Z', '2018-08-19T00:00:00Z', /has more than 5000 intervals of mobile-geolocation: backfill it in parts/],
])('a range is refused that is %s', (_what, from, to, message) => {
  expect(() => rangeOf(from, to)).toThrow(message);
});
