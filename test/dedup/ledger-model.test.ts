import { rm } from 'node:fs/promises';
import fc from 'fast-check';
import { createBatchActivities } from '../../activities/batches';
import { createLedgerActivities, liveStorageFiles } from '../../activities/ledger';
import type { CycleRef } from '../../domain/cycle';
import type { RecordCounts } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { type Deps, type LedgerStack, startLedgerStack } from './support/ledger-stack';
import { discover, keysIn, lines, nightEnding, putRaw, rawKey, run, SPEC, storedRecords } from './support/nights';
import { type Interference, wrapped } from './support/wrapped-client';

let stack: LedgerStack;
beforeAll(async () => {
  stack = await startLedgerStack();
});
afterAll(() => stack.stop());

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const FIRST_DAY = Date.parse('2018-08-01T00:00:00Z');
/** Small objects make chunks of one to three objects each. */
const spec: PipelineSpec = { ...SPEC, dedup: { ...SPEC.dedup, chunkBytes: 120 } };

/** A position out of few, so that batches repeat and overlap each other. */
interface Sighting {
  readonly hoursBeforeArrival: number;
  readonly place: number;
}
interface Batch {
  readonly arrivalHour: number;
  readonly daysLate: number;
  readonly name: string;
  readonly sightings: readonly Sighting[];
}
interface Crash {
  /** The call of the attempt at which it dies; an attempt with fewer calls lives. */
  readonly call: number;
  /** Before the service has seen the call, or after it did what was asked. */
  readonly when: 'before' | 'after';
  readonly losesDisk: boolean;
}
interface Night {
  readonly batches: readonly Batch[];
  readonly outcome: 'promoted' | 'failed';
  readonly crashes: readonly Crash[];
}

const night: fc.Arbitrary<Night> = fc.record({
  batches: fc.array(
    fc.record({
      arrivalHour: fc.nat(23),
      daysLate: fc.nat(2),
      name: fc.constantFrom('a', 'b', 'c', 'é', '🚀'),
      // Up to 71 hours before: beyond the window's three days nothing is stored.
      sightings: fc.array(fc.record({ hoursBeforeArrival: fc.nat(71), place: fc.nat(2) }), { minLength: 1, maxLength: 12 }),
    }),
    { maxLength: 6 },
  ),
  outcome: fc.constantFrom('promoted', 'promoted', 'failed'),
  crashes: fc.array(fc.record({ call: fc.nat(30), when: fc.constantFrom('before', 'after'), losesDisk: fc.boolean() }), { maxLength: 4 }),
});

/** One record that the model holds as stored. */
interface Stored {
  readonly key: string;
  readonly day: number;
  readonly cycle: CycleRef;
  readonly rawObject: string;
  readonly rawLine: number;
}

test(
  'over any nights, repeats, overlaps, failures and crashes, storage is what a plain set says (I1, I2, S2.3, S2.12–S2.16, S2.35)',
  () =>
    fc.assert(
      fc.asyncProperty(fc.array(night, { minLength: 1, maxLength: 3 }), fc.constantFrom(1, 1, 2, 4), fc.constantFrom(1, 2, 10_000), async (nights, step, manifestPartObjects) => {
        const deps = { ...(await stack.fresh()), manifestPartObjects };
        let stored: Stored[] = [];
        const unsettled = new Map<string, Batch & { readonly arrivalMs: number }>();
        for (const [index, { batches, outcome, crashes }] of nights.entries()) {
          const day = FIRST_DAY + index * step * DAY_MS;
          const cycle = nightEnding(new Date(day + DAY_MS).toISOString().slice(0, 10), 1, spec);
          for (const batch of batches) {
            const arrivalMs = day - batch.daysLate * DAY_MS + batch.arrivalHour * HOUR_MS;
            const key = rawKey(new Date(arrivalMs).toISOString().slice(0, 13), batch.name);
            unsettled.set(key, { ...batch, arrivalMs });
            await putRaw(deps, key, lines(batch.sightings.map((sighting) => recordOf(sighting, arrivalMs))));
          }

          const found = await withCrashes(deps, crashes, 0, (own) => discover(own, cycle, spec));
          const counts = await withCrashes(deps, crashes, index, async (own) => {
            const ledger = createLedgerActivities(own);
            await run(ledger.raiseFence, { dataset: spec.dataset, epoch: index + 1 });
            return (await run(ledger.dedupChunks, { cycle, spec, fromChunk: 0, toChunk: found.chunkCount, epoch: index + 1 })).counts;
          });
          const taken = objectsInReach(unsettled, cycle);
          const expected = dedupModel(stored, taken, cycle);
          expect(counts).toEqual(expected.counts);
          if (outcome === 'promoted') {
            stored = [...stored, ...expected.stored];
            await withCrashes(deps, crashes, 1, (own) => run(createBatchActivities(own).markObjects, { cycle, spec, state: 'loaded' as const }));
            for (const [key] of taken) unsettled.delete(key);
          } else {
            await withCrashes(deps, crashes, 1, (own) => run(createLedgerActivities(own).voidCycle, { cycle, spec, epoch: index + 1 }));
          }
          expect(await actuallyStored(deps)).toEqual(stored.map(asText).sort());
          expect(await leftoversOf(deps, spec.dataset)).toEqual([]);
        }
      }),
      { numRuns: Number(process.env.MERIDIAN_PROPERTY_RUNS ?? 15) },
    ),
  600_000,
);

test(
  'writers of one dataset at the same time, each with chunks of its own, store every record once between them (I2)',
  () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.nat(30), { minLength: 1, maxLength: 20 }), { minLength: 6, maxLength: 6 }), async (objects) => {
        const deps = await stack.fresh();
        const small = { ...spec, dedup: { ...spec.dedup, chunkBytes: 1 } };
        // Three cycles of the same night under different pipelines: their turns would exclude each other, the ledger must not rely on it.
        const cycles = ['one', 'two', 'three'].map((pipeline) => ({ ...nightEnding('2018-08-02', 1, small), pipeline }));
        const ledger = createLedgerActivities(deps);
        await run(ledger.raiseFence, { dataset: spec.dataset, epoch: 1 });
        const totals: RecordCounts[] = [];
        await Promise.all(
          cycles.map(async (cycle, writer) => {
            const own = { ...small, raw: { ...small.raw, prefix: `writer-${writer}/` } };
            for (const [index, places] of objects.slice(writer * 2, writer * 2 + 2).entries()) {
              const records = places.map((place) => recordOf({ hoursBeforeArrival: place % 30, place }, FIRST_DAY + DAY_MS - HOUR_MS));
              await putRaw(deps, rawKey('2018-08-01T23', `o${index}`, own), lines(records));
            }
            const { chunkCount } = await discover(deps, cycle, own);
            const input = { cycle, spec: own, fromChunk: 0, toChunk: chunkCount, epoch: 1 };
            totals.push((await run(createLedgerActivities(deps).dedupChunks, input)).counts);
          }),
        );

        const distinct = new Set(objects.flat());
        const found = await actuallyStored(deps);
        expect(found).toHaveLength(distinct.size);
        expect(new Set(found.map((text) => text.split(' ')[0])).size).toBe(distinct.size);
        expect(totals.reduce((sum, counts) => sum + counts.stored, 0)).toBe(distinct.size);
        expect(totals.reduce((sum, counts) => sum + counts.read, 0)).toBe(objects.flat().length);
      }),
      { numRuns: Number(process.env.MERIDIAN_PROPERTY_RUNS ?? 6) },
    ),
  600_000,
);

test('a crash at any call of a chunk, before or after it took effect, loses nothing and doubles nothing (S2.35)', async () => {
  const cycle = nightEnding('2018-08-02', 1, SPEC);
  const deps = await stack.fresh();
  let calls = 0;
  let crashed = 0;
  // Until an attempt has fewer calls than it is to die at, and lives.
  for (let call = 0; call <= calls; call++) {
    for (const when of ['before', 'after'] as const) {
      // A dataset of its own each time: what an earlier round stored must not make this one's records duplicates.
      const own: PipelineSpec = { ...SPEC, dataset: `crash_${call}_${when}`, raw: { ...SPEC.raw, prefix: `crash-${call}-${when}/` } };
      const ownCycle = { ...cycle, pipeline: `crash-${call}-${when}`, dataset: own.dataset };
      const records = [0, 1, 1, 2].map((place) => recordOf({ hoursBeforeArrival: place * 20, place }, FIRST_DAY + 13 * HOUR_MS));
      await putRaw(deps, rawKey('2018-08-01T13', 'a', own), lines([...records, { timestamp: 'x' }]));
      await discover(deps, ownCycle, own);
      await run(createLedgerActivities(deps).raiseFence, { dataset: own.dataset, epoch: 1 });
      const attempt = (using: Deps) =>
        run(createLedgerActivities(using).dedupChunks, { cycle: ownCycle, spec: own, fromChunk: 0, toChunk: 1, epoch: 1 });

      const died = await dyingAt(deps, { call, when, losesDisk: false }, attempt);
      if (died.result === CRASH) crashed += 1;
      calls = Math.max(calls, died.calls);

      expect((await attempt(deps)).counts).toEqual({ read: 5, stored: 3, duplicates: 1, quarantined: { bad_timestamp: 1 } });
      expect((await storedRecords(deps, own)).map((record) => [record.longitude, record.rawLine]).sort()).toEqual([[0, 1], [1, 2], [2, 4]]);
      expect(await leftoversOf(deps, own.dataset)).toEqual([]);
      expect(await keysIn(deps, 'quarantine', `${ownCycle.pipeline}/`)).toHaveLength(1);
    }
  }
  expect(calls).toBeGreaterThan(10);
  expect(crashed).toBe(calls * 2);
}, 300_000);

function recordOf({ hoursBeforeArrival, place }: Sighting, arrivalMs: number) {
  return { timestamp: arrivalMs - hoursBeforeArrival * HOUR_MS, longitude: place, latitude: 0 };
}

/** The objects that a cycle finds: not settled, and arrived in its interval or the three days before it; in byte order. */
function objectsInReach<T extends { readonly arrivalMs: number }>(objects: ReadonlyMap<string, T>, cycle: CycleRef): [string, T][] {
  const end = Date.parse(cycle.intervalEnd);
  return [...objects]
    .filter(([, { arrivalMs }]) => arrivalMs < end && arrivalMs >= end - 4 * DAY_MS)
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** Dedup by a plain set: the rules, none of the product's code. */
function dedupModel(
  before: readonly Stored[],
  objects: readonly (readonly [key: string, batch: Batch & { readonly arrivalMs: number }])[],
  cycle: CycleRef,
): { readonly counts: RecordCounts; readonly stored: readonly Stored[] } {
  const seen = new Set(before.map(({ key }) => key));
  const stored: Stored[] = [];
  let read = 0;
  for (const [rawObject, { sightings, arrivalMs }] of objects) {
    for (const [index, sighting] of sightings.entries()) {
      const { timestamp, longitude } = recordOf(sighting, arrivalMs);
      const key = `${timestamp}/${longitude}`;
      read += 1;
      if (seen.has(key)) continue;
      seen.add(key);
      stored.push({ key, day: Math.floor(timestamp / DAY_MS) * DAY_MS, cycle, rawObject, rawLine: index + 1 });
    }
  }
  return { counts: { read, stored: stored.length, duplicates: read - stored.length, quarantined: {} }, stored };
}

function asText({ key, day, cycle, rawObject, rawLine }: Stored): string {
  return `${key} ${new Date(day).toISOString().slice(0, 10)} ${cycle.intervalEnd} ${rawObject} ${rawLine}`;
}

async function actuallyStored(deps: Deps): Promise<readonly string[]> {
  const instant = (id: string) => id.replace(/^.*\/(\d{4})(\d\d)(\d\d)T.*$/, '$1-$2-$3T00:00:00Z');
  return (await storedRecords(deps, spec))
    .map((each) => `${each.epochMs}/${each.longitude} ${each.eventDate} ${instant(each.cycleId)} ${each.rawObject} ${each.rawLine}`)
    .sort();
}

/** Files that no committed chunk names: what lists a date's prefix would count them. */
async function leftoversOf(deps: Deps, dataset: string): Promise<readonly string[]> {
  const live = new Set((await liveStorageFiles(deps, { dataset })).map(({ key }) => key));
  return (await keysIn(deps, 'storage', `${dataset}/`)).filter((key) => !live.has(key));
}

const CRASH = new Error('the process died here');

/**
 * Runs an attempt in a process that dies at one call: every later call finds it dead, and whatever it would have returned is lost.
 * @returns the calls that were made, the one it died at included
 */
async function dyingAt<T>(deps: Deps, { call, when }: Crash, attempt: (deps: Deps) => Promise<T>): Promise<{ readonly result: T | typeof CRASH; readonly calls: number }> {
  let calls = 0;
  let dead = false;
  const die = () => {
    dead = true;
    throw CRASH;
  };
  const interference: Interference = {
    before: () => {
      if (dead) die();
      calls += 1;
      if (calls === call + 1 && when === 'before') die();
    },
    after: () => {
      if (dead || calls >= call + 1) die();
    },
  };
  const dying = { ...deps, s3: wrapped(deps.s3, interference), dynamodb: wrapped(deps.dynamodb, interference) };
  const result = await attempt(dying).catch((error: unknown) => {
    if (!dead) throw error;
    return CRASH;
  });
  return { result: dead ? CRASH : result, calls };
}

/** Runs an activity as Temporal does: attempts that die, then one that lives. */
async function withCrashes<T>(deps: Deps, crashes: readonly Crash[], skip: number, attempt: (deps: Deps) => Promise<T>): Promise<T> {
  for (const crash of crashes.slice(skip)) {
    const { result } = await dyingAt(deps, crash, attempt);
    if (result !== CRASH) return result as T;
    if (crash.losesDisk) await rm(deps.workDir, { recursive: true, force: true });
  }
  return attempt(deps);
}
