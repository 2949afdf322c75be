import { arrivalDays, arrivalHourOf } from '../../activities/batches/arrival-hours';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';

const spec: PipelineSpec = { ...mobileGeolocation, dedup: { ...mobileGeolocation.dedup, latenessDays: 0 } };
/** Nights in Kolkata, which end within an hour of UTC. */
const FIRST = { start: '2026-06-01T18:30:00Z', end: '2026-06-02T18:30:00Z' };
const NEXT = { start: FIRST.end, end: '2026-06-03T18:30:00Z' };

const takes = (interval: typeof FIRST, hour: string) =>
  arrivalHourOf(spec, interval, '2026-06-02', `mobile-geolocation/2026/06/02/${hour}/`) !== undefined;

test('the hour within which one interval ends and the next begins is looked through by both: what arrives late in it is in one of them (S2.11)', () => {
  expect(['17', '18', '19'].map((hour) => takes(FIRST, hour))).toEqual([true, true, false]);
  expect(['17', '18', '19'].map((hour) => takes(NEXT, hour))).toEqual([false, true, true]);
  expect(arrivalDays(spec, NEXT)).toEqual(['2026-06-02', '2026-06-03']);
});
