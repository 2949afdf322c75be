import fc from 'fast-check';
import { createBatchActivities } from '../../activities/batches';
import { createDedupJobActivities } from '../../activities/dedup-job';
import { createLedgerActivities } from '../../activities/ledger';
import { addCounts, NO_RECORDS } from '../../domain/conservation';
import type { CycleRef } from '../../domain/cycle';
import type { RecordCounts } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { JSON_FAMILIES, PARQUET_FAMILIES } from '../poison/corpus';
import { HOUR, LIMITS, POISON_SPEC, type PoisonEntry } from '../poison/corpus/entry';
import { type Observed, observe } from '../poison/observe';
import { type Deps, type LedgerStack, startLedgerStack } from './support/ledger-stack';
import { actuallyStored, asText, type Batch, DAY_MS, dedupModel, FIRST_DAY, HOUR_MS, leftoversOf, night, objectsInReach, recordOf, spec, type Stored, withCrashes } from './support/model';
import { discover, lines, nightEnding, putRaw, type RawRecord, rawKey, run, storedRecords } from './support/nights';
import { type SparkDedup, sparkRound, startSparkDedup } from './support/spark-dedup';

let stack: LedgerStack;
let spark: SparkDedup;
beforeAll(async () => {
  stack = await startLedgerStack();
  spark = await startSparkDedup(stack);
});
afterAll(async () => {
  await spark?.stop();
  await stack.stop();
});

/** A night is one chunk, and so one run. */
const bySpark: PipelineSpec = { ...spec, dedup: { ...spec.dedup, engine: 'spark', chunkBytes: 1024 ** 3 } };
const CYCLE = nightEnding('2018-08-02', 1, spec);

test(
  'over any nights, by either engine in any order, storage is what a plain set says, crashes included (I1, I2, S2.3, S2.12–S2.16)',
  () =>
    fc.assert(
      fc.asyncProperty(fc.array(fc.record({ night, engine: fc.constantFrom('spark', 'duckdb') }), { minLength: 2, maxLength: 3 }), async (nights) => {
        const deps = await stack.fresh();
        let stored: Stored[] = [];
        const unsettled = new Map<string, Batch & { readonly arrivalMs: number }>();
        for (const [index, { night: { batches, outcome, crashes }, engine }] of nights.entries()) {
          const own = engine === 'spark' ? bySpark : spec;
          const day = FIRST_DAY + index * DAY_MS;
          const cycle = nightEnding(new Date(day + DAY_MS).toISOString().slice(0, 10), 1, spec);
          for (const batch of batches) {
            const arrivalMs = day - batch.daysLate * DAY_MS + batch.arrivalHour * HOUR_MS;
            const key = rawKey(new Date(arrivalMs).toISOString().slice(0, 13), batch.name);
            unsettled.set(key, { ...batch, arrivalMs });
            await putRaw(deps, key, lines(batch.sightings.map((sighting) => recordOf(sighting, arrivalMs))));
          }
          const { chunkCount } = await discover(deps, cycle, own);
          await run(createLedgerActivities(deps).raiseFence, { dataset: spec.dataset, epoch: index + 1 });

          const dedup = engine === 'spark' ? sparkNight : workerNight;
          const counts = await dedup(deps, crashes, { cycle, spec: own, epoch: index + 1, chunkCount });

          const taken = objectsInReach(unsettled, cycle);
          const expected = dedupModel(stored, taken, cycle);
          expect(counts).toEqual(expected.counts);
          if (outcome === 'promoted') {
            stored = [...stored, ...expected.stored];
            await run(createBatchActivities(deps).markObjects, { cycle, spec, state: 'loaded' as const });
            for (const [key] of taken) unsettled.delete(key);
          } else {
            await withCrashes(deps, crashes, 1, (dying) => run(createLedgerActivities(dying).voidCycle, { cycle, spec, epoch: index + 1 }));
          }
          expect(await actuallyStored(deps)).toEqual(stored.map(asText).sort());
          expect(await leftoversOf(deps, spec.dataset)).toEqual([]);
        }
      }),
      { numRuns: Number(process.env.MERIDIAN_PROPERTY_RUNS ?? 5), endOnFailure: true },
    ),
  600_000,
);

interface EngineNight {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  readonly epoch: number;
  readonly chunkCount: number;
}
type Crashes = Parameters<typeof withCrashes>[1];

function workerNight(deps: Deps, crashes: Crashes, { chunkCount, ...input }: EngineNight): Promise<RecordCounts> {
  return withCrashes(deps, crashes, 0, async (own) => (await run(createLedgerActivities(own).dedupChunks, { ...input, fromChunk: 0, toChunk: chunkCount })).counts);
}

/** As the workflow does it: each activity has attempts that die, and the run is one. */
async function sparkNight(deps: Deps, crashes: Crashes, { cycle, spec: own, epoch, chunkCount }: EngineNight): Promise<RecordCounts> {
  let sum = NO_RECORDS;
  for (let chunk = 0; chunk < chunkCount; chunk++) {
    const { input } = await withCrashes(deps, crashes, 0, (dying) => run(createDedupJobActivities(dying).prepareDedupJob, { cycle, spec: own, chunk, round: 1 }));
    await spark.runJob(`s3://${input.bucket}/${input.key}`);
    const { committed } = await withCrashes(deps, crashes, 1, (dying) => run(createDedupJobActivities(dying).commitDedupJob, { spec: own, epoch, input }));
    if (committed === undefined) throw new Error('nobody else wrote, but the commit asked for another round');
    sum = addCounts(sum, committed);
  }
  return sum;
}

describe('a run and another writer', () => {
  const records = [0, 1, 2].map((place) => recordOf({ hoursBeforeArrival: 1, place }, FIRST_DAY + 12 * HOUR_MS));
  let deps: Deps;
  beforeEach(async () => {
    deps = await stack.fresh();
    await putRaw(deps, rawKey('2018-08-01T12', 'a'), lines([...records, records[0] ?? {}]));
    await discover(deps, CYCLE, bySpark);
    await run(createLedgerActivities(deps).raiseFence, { dataset: spec.dataset, epoch: 1 });
  });
  const chunk = { cycle: CYCLE, spec: bySpark, chunk: 0 };
  const jobs = () => createDedupJobActivities(deps);

  /** Another pipeline's night of the same dataset, whose turn is not waited for: the ledger must not rely on it. */
  async function storeElsewhere(of: readonly RawRecord[]): Promise<void> {
    const other = { ...spec, raw: { ...spec.raw, prefix: 'elsewhere/' } };
    const cycle = { ...CYCLE, pipeline: 'elsewhere' };
    await putRaw(deps, rawKey('2018-08-01T12', 'b', other), lines(of));
    const { chunkCount } = await discover(deps, cycle, other);
    await run(createLedgerActivities(deps).dedupChunks, { cycle, spec: other, fromChunk: 0, toChunk: chunkCount, epoch: 1 });
  }

  test('who wrote to one of its dates after it was prepared is seen by the next round, and nothing is stored twice (I2)', async () => {
    const { input } = await run(jobs().prepareDedupJob, { ...chunk, round: 1 });
    await storeElsewhere(records.slice(0, 1));
    await spark.runJob(`s3://${input.bucket}/${input.key}`);

    expect(await run(jobs().commitDedupJob, { spec: bySpark, epoch: 1, input })).toEqual({});
    expect(await run(jobs().commitDedupJob, { spec: bySpark, epoch: 1, input })).toEqual({});
    expect(await sparkRound(spark, deps, { ...chunk, epoch: 1 }, 2)).toEqual({ read: 4, stored: 2, duplicates: 2, quarantined: {} });

    expect(await storedRecords(deps)).toHaveLength(3);
    expect(await leftoversOf(deps, spec.dataset)).toEqual([]);
  });

  test('what was voided since does not count as seen any more: the commit is refused, and the next round stores it', async () => {
    await storeElsewhere(records.slice(0, 1));
    const { input } = await run(jobs().prepareDedupJob, { ...chunk, round: 1 });
    await spark.runJob(`s3://${input.bucket}/${input.key}`);
    await run(createLedgerActivities(deps).voidCycle, { cycle: { ...CYCLE, pipeline: 'elsewhere' }, spec, epoch: 1 });

    expect(await run(jobs().commitDedupJob, { spec: bySpark, epoch: 1, input })).toEqual({});
    expect(await sparkRound(spark, deps, { ...chunk, epoch: 1 }, 2)).toMatchObject({ stored: 3, duplicates: 1 });
    expect(await storedRecords(deps)).toHaveLength(3);
  });

  test('a commit that is repeated, and a round that comes too late, find the chunk as it was committed', async () => {
    const { input } = await run(jobs().prepareDedupJob, { ...chunk, round: 1 });
    await spark.runJob(`s3://${input.bucket}/${input.key}`);
    const { committed } = await run(jobs().commitDedupJob, { spec: bySpark, epoch: 1, input });
    expect(committed).toEqual({ read: 4, stored: 3, duplicates: 1, quarantined: {} });
    expect(await run(jobs().commitDedupJob, { spec: bySpark, epoch: 1, input })).toEqual({ committed });
    expect(await run(jobs().prepareDedupJob, { ...chunk, round: 2 })).toMatchObject({ committed });
    expect(await storedRecords(deps)).toHaveLength(3);
  });

  test('a lost turn, a voided generation and a run that left nothing are refused by name (I6)', async () => {
    const { input } = await run(jobs().prepareDedupJob, { ...chunk, round: 1 });
    await expect(run(jobs().commitDedupJob, { spec: bySpark, epoch: 1, input })).rejects.toMatchObject({ type: 'JobOutputInvalid', nonRetryable: true });
    await spark.runJob(`s3://${input.bucket}/${input.key}`);
    await run(createLedgerActivities(deps).raiseFence, { dataset: spec.dataset, epoch: 2 });
    await expect(run(jobs().commitDedupJob, { spec: bySpark, epoch: 1, input })).rejects.toMatchObject({ type: 'TurnLost' });
    await run(createLedgerActivities(deps).voidCycle, { cycle: CYCLE, spec, epoch: 2 });
    await expect(run(jobs().commitDedupJob, { spec: bySpark, epoch: 2, input })).rejects.toMatchObject({ type: 'LedgerRefused' });
    expect(await storedRecords(deps)).toEqual([]);
    expect(await leftoversOf(deps, spec.dataset)).toEqual([]);
  });

  test('the worker goes on behind a run: no segment was written, and its records still count (S2.13)', async () => {
    await sparkRound(spark, deps, { ...chunk, epoch: 1 });
    await storeElsewhere([...records, recordOf({ hoursBeforeArrival: 2, place: 0 }, FIRST_DAY + 12 * HOUR_MS)]);

    expect((await storedRecords(deps)).map(({ cycleId }) => cycleId.split('/')[0]).sort()).toEqual(['elsewhere', ...Array<string>(3).fill(CYCLE.pipeline)]);
  });
});

describe.each([
  { format: 'json-lines' as const, families: JSON_FAMILIES },
  { format: 'parquet' as const, families: PARQUET_FAMILIES },
])('$format', ({ format, families }) => {
  test('every poisoned object comes to the same by both engines: counts, quarantined lines and their details, stored values (S1.14, S1.15, S2.36)', async () => {
    const workerSpec: PipelineSpec = { ...POISON_SPEC, raw: { ...POISON_SPEC.raw, format } };
    const sparkSpec: PipelineSpec = { ...workerSpec, dedup: { ...workerSpec.dedup, engine: 'spark', chunkBytes: 1024 ** 4 } };
    const objects = await objectsOf(families, workerSpec);
    const [byWorker, bySparkRun] = [await poisonedNight(workerSpec, objects, workerNight), await poisonedNight(sparkSpec, objects, sparkNight)];

    expect(byWorker.counts.size).toBeGreaterThan(50);
    expect(bySparkRun).toEqual(byWorker);
  });
});

type Objects = readonly { readonly key: string; readonly body: Buffer }[];

/** Bodies are made once: a file that DuckDB wrote is never the same again. */
function objectsOf(families: Readonly<Record<string, readonly PoisonEntry[]>>, own: PipelineSpec): Promise<Objects> {
  return Promise.all(
    Object.values(families).flat().map(async ({ key, body }, index) => ({
      key: key?.startsWith('key:') === true ? key.slice('key:'.length) : rawKey(HOUR, `poison-${String(index).padStart(4, '0')}${key ?? ''}`, own),
      body: Buffer.isBuffer(body) ? body : await body(),
    })),
  );
}

/** Deduplicates objects in a stack of their own. */
async function poisonedNight(own: PipelineSpec, objects: Objects, dedup: typeof workerNight): Promise<Observed> {
  const deps = { ...(await stack.fresh()), rawLimits: LIMITS };
  for (const { key, body } of objects) await putRaw(deps, key, body);
  const cycle = nightEnding('2018-08-02', 1, own);
  const { chunkCount } = await discover(deps, cycle, own);
  await run(createLedgerActivities(deps).raiseFence, { dataset: own.dataset, epoch: 1 });
  await dedup(deps, [], { cycle, spec: own, epoch: 1, chunkCount });
  const { counts, quarantined, stored } = await observe(deps, own);
  // A version's id is drawn by S3, a bad line's place in its file is the engine's, and what DuckDB says of damage may be what lay in memory.
  const settled = [...quarantined].map(
    ([key, rows]) => [key, rows.map((row) => ({ ...row, version: '', detail: row.detail.replace(/(no readable Parquet: [\w ]+Error): .*/, '$1') })).sort((a, b) => a.line - b.line)] as const,
  );
  return { counts, quarantined: new Map(settled), stored };
}
