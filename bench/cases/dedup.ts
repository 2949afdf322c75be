import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { startLedgerStack, type LedgerStack } from '../../test/dedup/support/ledger-stack';
import type { Benchmark, Checkout } from '../benchmark';
import { ROOT } from '../checkout';
import { combined, type Usage } from '../measure';
import { held, type Result, told } from '../results';
import { itemPerRecord } from './dedup/item-per-record';
import type { BatchShape, RecordRange } from './dedup/records';
import { DedupRig, DUCKDB_MEMORY_MB, expectSame } from './dedup/rig';

/** One dataset, three nights: all new; three in ten seen on the first; nothing new. */
interface Series extends Omit<BatchShape, 'lastDay'> {
  readonly name: string;
  readonly records: number;
  readonly recordsPerObject: number;
  /** Against 500,000 records/s and half of plain DuckDB (design section 10); absent: told only. */
  readonly isHeld: boolean;
}

const SHARES = [0, 0.3, 1] as const;
const WORKER_MB = 512;
const MILLION = 1_000_000;

const FULL: readonly Series[] = [
  { name: 'parquet-1m', format: 'parquet', days: 1, records: MILLION, recordsPerObject: 250_000, isHeld: true },
  { name: 'parquet-1m-3-days', format: 'parquet', days: 3, records: MILLION, recordsPerObject: 250_000, isHeld: true },
  { name: 'parquet-5m', format: 'parquet', days: 1, records: 5 * MILLION, recordsPerObject: MILLION, isHeld: true },
  { name: 'parquet-50m-3-days', format: 'parquet', days: 3, records: 50 * MILLION, recordsPerObject: MILLION, isHeld: true },
  { name: 'json-1m', format: 'json-lines', days: 1, records: MILLION, recordsPerObject: 100_000, isHeld: false },
];
const QUICK: readonly Series[] = [
  { name: 'parquet-200k', format: 'parquet', days: 1, records: 200_000, recordsPerObject: 100_000, isHeld: true },
  { name: 'json-200k', format: 'json-lines', days: 1, records: 200_000, recordsPerObject: 100_000, isHeld: false },
];

/** Exact dedup by the ledger, against plain DuckDB without one and against an item for each record (S2.16, X12). */
export const dedup: Benchmark = {
  name: 'dedup',
  title: 'what does exact dedup cost, beside the same query without a ledger?',
  async run({ quick, scratch, note, against }) {
    const results: Result[] = [];
    const usages: Usage[] = [];
    for (const series of quick ? QUICK : FULL) {
      note(`${series.records.toLocaleString('en-US')} records, ${series.format}, ${series.days} event date(s)`);
      // An emulator each: what one has stored goes with it.
      const found = await withStack((stack) => measureSeries(stack, join(scratch, series.name), series, against));
      results.push(...found.results);
      usages.push(...found.usages);
      rmSync(join(scratch, series.name), { recursive: true, force: true });
    }
    results.push(...(await withStack((stack) => measureItems(stack, quick ? 1_000 : 10_000))));
    return { results, usage: combined(usages) };
  },
};

async function withStack<T>(use: (stack: LedgerStack) => Promise<T>): Promise<T> {
  const stack = await startLedgerStack();
  try {
    return await use(stack);
  } finally {
    await stack.stop();
  }
}

async function measureSeries(stack: LedgerStack, scratch: string, series: Series, against: Checkout | undefined) {
  const { records, isHeld } = series;
  const rig = await DedupRig.start(stack, scratch, series, ROOT);
  const other = against === undefined ? undefined : await DedupRig.start(stack, `${scratch}-against`, series, against.root);
  const results: Result[] = [];
  const usages: Usage[] = [];
  // Workers live long: what a process does once, on its first night, is not what a night costs.
  const few = [[{ from: 10 * MILLION, to: 10 * MILLION + 1_000 }]];
  const bounded = (...[name, value, unit, bound, limit]: Parameters<typeof held>) => (isHeld ? held(name, value, unit, bound, limit) : told(name, value, unit));
  try {
    const first = await rig.upload(few);
    await rig.byPlainDuckDb(first);
    await rig.byUs(first);
    if (other !== undefined) await other.byUs(await other.upload(few));
    for (const share of SHARES) {
      const night = await rig.upload(objectsOf(series, share));
      // The peer before and after: what the machine does meanwhile meets both.
      const before = await rig.byPlainDuckDb(night);
      const { answer, usage, servers } = await rig.byUs(night);
      const after = await rig.byPlainDuckDb(night);
      const theirNight = await other?.upload(objectsOf(series, share));
      const theirs = theirNight === undefined ? undefined : await other?.byUs(theirNight);
      await rig.discard(night);
      if (theirNight !== undefined) await other?.discard(theirNight);
      expectSame(answer.counts, after.answer, night);
      usages.push(usage);
      const plain = { seconds: mean(before.usage.seconds, after.usage.seconds), cpuSeconds: mean(before.usage.cpuSeconds, after.usage.cpuSeconds) };
      const name = (what: string) => `dedup/${series.name}/${share * 100}%-repeats/${what}`;
      results.push(bounded(name('rate'), records / usage.seconds, 'records/s', 'at least', 500_000));
      results.push(bounded(name('rate-by-plain-duckdb'), plain.seconds / usage.seconds, 'of plain DuckDB', 'at least', 0.5));
      results.push(told(name('cpu'), (usage.cpuSeconds / records) * MILLION, `CPU-s a million, plain DuckDB ${((plain.cpuSeconds / records) * MILLION).toFixed(2)}`));
      results.push(told(name('local-aws-cpu'), (servers.cpuSeconds / records) * MILLION, 'CPU-s a million of the local S3 and DynamoDB, on the same cores'));
      if (usage.peakMb !== undefined) results.push(held(name('memory'), usage.peakMb, 'MB', 'at most', WORKER_MB + DUCKDB_MEMORY_MB));
      if (theirs !== undefined && against !== undefined) {
        results.push(told(name(`seconds-by-${against.commit}`), usage.seconds / theirs.usage.seconds, 'of its seconds'));
        results.push(told(name(`cpu-by-${against.commit}`), usage.cpuSeconds / theirs.usage.cpuSeconds, 'of its CPU-s'));
      }
      if (share === 0) results.push(held(name('write-units'), (answer.capacity.writeUnits / records) * MILLION, 'write units a million', 'at most', 20_000));
      results.push(held(name('requests'), answer.capacity.requests / records, 'DynamoDB requests a record', 'at most', 0.001));
      results.push(told(name('read-units'), answer.capacity.readUnits, 'read units, cache warm'));
    }
  } finally {
    await Promise.all([rig.stop(), other?.stop()]);
  }
  return { results, usages };
}

async function measureItems({ dynamodb }: LedgerStack, records: number): Promise<readonly Result[]> {
  const { requests, writeUnits, seconds } = await itemPerRecord(dynamodb, records);
  return [
    told('dedup/item-per-record/write-units', (writeUnits / records) * MILLION, 'write units a million'),
    told('dedup/item-per-record/requests', requests / records, 'DynamoDB requests a record'),
    told('dedup/item-per-record/rate', records / seconds, 'records/s, the local DynamoDB the bottleneck'),
  ];
}

/** Every object has its part of the repeats; records that are new have numbers that no other night has. */
function objectsOf({ records, recordsPerObject }: Series, share: number): readonly (readonly RecordRange[])[] {
  return Array.from({ length: records / recordsPerObject }, (_, index) => {
    const [from, repeats] = [index * recordsPerObject, Math.round(recordsPerObject * share)];
    const ranges = [{ from, to: from + repeats }, { from: records + from + repeats, to: records + from + recordsPerObject }];
    return share === 0 ? [{ from, to: from + recordsPerObject }] : ranges.filter((range) => range.to > range.from);
  });
}

function mean(a: number, b: number): number {
  return (a + b) / 2;
}
