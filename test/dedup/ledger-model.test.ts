import fc from 'fast-check';
import { createBatchActivities } from '../../activities/batches';
import { createLedgerActivities } from '../../activities/ledger';
import type { RecordCounts } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { type Deps, type LedgerStack, startLedgerStack } from './support/ledger-stack';
import { actuallyStored, asText, type Batch, CRASH, DAY_MS, dedupModel, dyingAt, FIRST_DAY, HOUR_MS, leftoversOf, night, objectsInReach, recordOf, spec, type Stored, withCrashes } from './support/model';
import { discover, keysIn, lines, nightEnding, putRaw, rawKey, run, SPEC, storedRecords } from './support/nights';

let stack: LedgerStack;
beforeAll(async () => {
  stack = await startLedgerStack();
});
afterAll(() => stack.stop());

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
      { numRuns: Number(process.env.MERIDIAN_PROPERTY_RUNS ?? 15), endOnFailure: true },
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
      { numRuns: Number(process.env.MERIDIAN_PROPERTY_RUNS ?? 6), endOnFailure: true },
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
