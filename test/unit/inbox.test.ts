import { emptyInbox, type InboxState, nextInterval, startReason, withArrivals, withEnded, withFault, withLooked, withTaken } from '../../domain/inbox';
import { askedInterval, ingestFaults, runsNightly, runsOnObject } from '../../domain/ingest';
import type { IngestSpec } from '../../domain/pipeline-spec';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';

const NOW = Date.parse('2026-11-25T10:05:00Z');
const ingest: IngestSpec = { mode: 'on-object', maxObjects: 3, maxBytes: 64 * 1024 ** 2, maxAgeSeconds: 60, sweepMinutes: 15 };
const spec = { ...mobileGeolocation, ingest };
const PREFIX = 'mobile-geolocation/';
const quiet: InboxState = { ...emptyInbox(NOW), sweepDueMs: NOW + 900_000 };
const object = (n: number, more: Partial<Parameters<typeof withArrivals>[1][number]> = {}) => ({
  key: `${PREFIX}2026/11/25/10/gateway ${n}.json`,
  etag: 'e',
  sizeBytes: 1_000,
  sequencer: `${n}`,
  eventTime: '2026-11-25T10:05:00Z',
  ...more,
});
const after = (...objects: readonly ReturnType<typeof object>[]) => withArrivals(quiet, objects, PREFIX, NOW);

test.each([
  ['count', after(object(1), object(2), object(3)), NOW],
  ['bytes', after(object(1, { sizeBytes: 64 * 1024 ** 2 })), NOW],
  ['age', after(object(1)), NOW + 60_000],
  ['sweep', quiet, NOW + 900_000],
  ['flush', { ...quiet, flushAsked: true }, NOW],
  [undefined, after(object(1), object(2)), NOW + 59_999],
  [undefined, { ...after(object(1), object(2), object(3)), paused: true }, NOW],
] as const)('a cycle starts by %s (S2.31)', (reason, state, atMs) => {
  expect(startReason(state, ingest, atMs)).toBe(reason);
});

test('copies of an event count once, whatever their order; what lies in no arrival hour never counts; what is known stays bounded (S1.15)', () => {
  const state = after(object(1), object(2), object(1), object(2, { key: 'elsewhere/x.json' }), object(4, { key: `${PREFIX}readme.txt` }));
  const many = withArrivals(quiet, Array.from({ length: 10_000 }, (_, n) => object(n)), PREFIX, NOW);

  expect(state.pending).toMatchObject({ objectCount: 2, sizeBytes: 2_000 });
  expect(many.pending.objectCount).toBe(10_000);
  expect(JSON.stringify(many).length).toBeLessThan(40_000);
});

test('intervals follow each other without a gap, cover the hour that what waits arrived in, and are no longer than declared', () => {
  const first = nextInterval(after(object(1)), mobileGeolocation, NOW);
  const looked = withLooked(withTaken(after(object(1))), first, NOW, ingest);
  const second = nextInterval(looked, mobileGeolocation, NOW + 3_600_000);
  const late = nextInterval(looked, mobileGeolocation, NOW + 72 * 3_600_000);

  expect(first).toEqual({ start: '2026-11-24T10:05:00Z', end: '2026-11-25T10:05:00Z' });
  expect(second).toEqual({ start: first.end, end: '2026-11-25T11:05:00Z' });
  expect(late).toEqual({ start: first.end, end: '2026-11-26T10:05:00Z' });
});

test('a start that failed gives back what it had taken and is tried again; an end is counted once', () => {
  const taken = after(object(1), object(2), object(3));
  const failed = withFault(withTaken(taken), taken.pending, 'S3 is away', NOW);
  const cycle = { workflowId: 'etl/x', intervalEnd: '', reason: 'count', startedAt: '', objectCount: 3 } as const;
  const ended = withEnded({ ...quiet, running: cycle }, { ...cycle, outcome: 'promoted' });

  expect([failed.pending.objectCount, startReason(failed, ingest, NOW), startReason(failed, ingest, NOW + 60_000)]).toEqual([3, undefined, 'count']);
  expect(withEnded(ended, { ...cycle, outcome: 'promoted' })).toBe(ended);
});

test.each([
  ['nightly', true, false],
  ['on-object', false, true],
  ['both', true, true],
] as const)('a declaration switches a pipeline to %s', (mode, nightly, onObject) => {
  const switched = { ...mobileGeolocation, ingest: { ...ingest, mode } };

  expect([runsNightly(switched), runsOnObject(switched), ingestFaults(switched)]).toEqual([nightly, onObject, []]);
});

test('limits beyond those of the service are refused, all at once (S2.31)', () => {
  const faults = ingestFaults({ ...mobileGeolocation, ingest: { mode: 'hourly' as 'both', maxObjects: 0, maxBytes: 1, maxAgeSeconds: 5, sweepMinutes: 1.5 } });

  expect(faults.map((fault) => fault.split(':')[0])).toEqual(['ingest.mode', 'ingest.maxObjects', 'ingest.maxBytes', 'ingest.maxAgeSeconds', 'ingest.sweepMinutes']);
});

test('a cycle of its own interval is only for pipelines that run on objects, and never in the future or longer than declared', () => {
  const asked = (intervalStart: string, intervalEnd: string, of: Parameters<typeof askedInterval>[0] = spec) => askedInterval(of, { intervalStart, intervalEnd }, new Date(NOW));

  expect(asked('2026-11-25T09:00:01Z', '2026-11-25T10:04:59Z')).toEqual({ start: '2026-11-25T09:00:01Z', end: '2026-11-25T10:04:59Z' });
  expect(() => asked('2026-11-25T09:00:00Z', '2026-11-25T10:00:00Z', mobileGeolocation)).toThrow(/does not run on objects/);
  expect(() => asked('2026-11-25T09:00:00Z', '2026-11-25T12:00:00Z')).toThrow(/is in the future/);
  expect(() => asked('2026-11-20T09:00:00Z', '2026-11-25T10:00:00Z')).toThrow(/at most 24 hours/);
});
