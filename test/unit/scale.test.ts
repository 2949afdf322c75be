import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { scalePicture, scaleTables } from '../../bench/scale/page';
import * as limits from '../../bench/scale/service-limits';
import { type DedupLoad, simulateDedup } from '../../bench/scale/simulate-dedup';
import { bottleneckOf, estimateNight, evenly, secondsOf, storedGb, unitCosts } from '../../bench/scale/stages';
import { Measured } from '../../bench/scale/unit-costs';
import { HUNDRED_MILLION_A_DAY, TEN_TERABYTES } from '../../bench/scale/workloads';

const DOCS = join(__dirname, '..', '..', 'docs');
const costs = unitCosts(new Measured());
const load = (over: Partial<DedupLoad> = {}): DedupLoad => ({
  records: 1e6,
  recordsPerChunk: 1e5,
  cpuSecondsPerMillion: 4,
  cores: 2,
  writeUnitsPerMillion: 15_700,
  partitionShares: [1],
  ...over,
});

describe('the dedup of a night against DynamoDB, simulated (S2.28-30)', () => {
  test('takes what computing takes where the partitions have saved enough', () => {
    const { seconds, computingSeconds, writeUnits, unitsPerSecond } = simulateDedup(load());
    expect(seconds).toBeCloseTo(2, 9);
    expect(computingSeconds).toBeCloseTo(2, 9);
    expect(writeUnits).toBeCloseTo(15_700, 6);
    expect(unitsPerSecond).toBeCloseTo(7_850, 6);
  });

  test('waits for a partition once what it saved is spent: 1,000 units a second, and 300 seconds of them at once', () => {
    const { seconds } = simulateDedup(load({ records: 100e6, cpuSecondsPerMillion: 0 }));
    expect(seconds).toBeCloseTo((100 * 15_700 - 300_000) / 1_000, 6);
  });

  test('writes every unit, is never faster than computing or than the table, and never slower over more partitions', () => {
    const wild = fc.record({
      records: fc.integer({ min: 1, max: 3e8 }),
      recordsPerChunk: fc.integer({ min: 1e5, max: 3e8 }),
      cpuSecondsPerMillion: fc.double({ min: 0, max: 50, noNaN: true }),
      cores: fc.integer({ min: 1, max: 64 }),
      writeUnitsPerMillion: fc.double({ min: 0, max: 20_000, noNaN: true }),
    });
    fc.assert(
      fc.property(wild, fc.integer({ min: 1, max: 20 }), (base, partitions) => {
        const few = simulateDedup({ ...base, partitionShares: evenly(partitions) });
        const many = simulateDedup({ ...base, partitionShares: evenly(partitions * 2) });
        const units = (base.records / 1e6) * base.writeUnitsPerMillion;
        expect(few.writeUnits).toBeCloseTo(units, 3);
        expect(few.seconds).toBeGreaterThanOrEqual(few.computingSeconds);
        expect(few.seconds).toBeGreaterThanOrEqual((units - 40_000) / limits.TABLE_WRITE_UNITS.perSecond - 1e-6);
        expect(many.seconds).toBeLessThanOrEqual(few.seconds + 1e-6);
      }),
      { numRuns: 200 },
    );
  });
});

describe('docs/scale.md', () => {
  test('S2.2 has what the recorded benchmarks, the documented limits and the prices come to', () => {
    expect(/<!-- scale -->\n([^]*?)<!-- end -->/.exec(readFileSync(join(DOCS, 'scale.md'), 'utf8'))?.[1]).toBe(scaleTables());
    expect(readFileSync(join(DOCS, 'scale.svg'), 'utf8')).toBe(scalePicture());
  });

  test('the workloads are what the page says', () => {
    expect(storedGb(TEN_TERABYTES)).toBeCloseTo(10_000, 0);
    expect(HUNDRED_MILLION_A_DAY.recordsPerNight).toBe(100e6);
  });

  test('a limit and a unit cost say where they come from', () => {
    for (const limit of Object.values(limits)) if (typeof limit === 'object') expect(limit.source).toMatch(/^https:\/\//);
    for (const { known } of Object.values(costs)) expect(known).toMatch(/^(measured: `|assumed: \w)/);
  });

  test('incremental refresh and dedup by Spark never make a night longer, and a bottleneck is what its stage waits for', () => {
    const full = estimateNight(HUNDRED_MILLION_A_DAY, { dedup: 'duckdb', refresh: 'full' }, costs);
    const incremental = estimateNight(HUNDRED_MILLION_A_DAY, { dedup: 'duckdb', refresh: 'incremental' }, costs);
    const total = (stages: typeof full) => stages.reduce((sum, stage) => sum + secondsOf(stage), 0);
    expect(total(incremental)).toBeLessThan(total(full));
    for (const stage of full) expect(bottleneckOf(stage).seconds).toBe(Math.max(...stage.demands.map(({ seconds }) => seconds)));
  });
});
