import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { type LedgerStack, startLedgerStack } from '../../test/dedup/support/ledger-stack';
import { nightEnding, putRaw, rawKey, SPEC } from '../../test/dedup/support/nights';
import type { BenchContext, Benchmark } from '../benchmark';
import { ROOT } from '../checkout';
import { type Child, startChild } from '../engines/child';
import { combined, measured, type Usage } from '../measure';
import { held, type Result, told } from '../results';
import type { OurAnswer, OurOrder, OurTask } from './dedup/ours';
import { objectOf } from './dedup/records';
import { DUCKDB_MEMORY_MB } from './dedup/rig';
import { fillWindow } from './micro-batch/window';

const RECORDS = 1_000;
const DAY_MS = 86_400_000;
const spec: PipelineSpec = SPEC;

/** How the window was filled before the batch comes; a window is the batch's own event date and the three before it. */
interface Filling {
  readonly name: string;
  readonly chunksADate: number;
  readonly fingerprintsPerChunk: number;
}

const FULL: readonly Filling[] = [
  { name: 'by-nights-100m', chunksADate: 25, fingerprintsPerChunk: 1_000_000 },
  { name: 'by-micro-batches-8m', chunksADate: 2_000, fingerprintsPerChunk: RECORDS },
];
const QUICK: readonly Filling[] = [
  { name: 'by-nights-2m', chunksADate: 5, fingerprintsPerChunk: 100_000 },
  { name: 'by-micro-batches-400k', chunksADate: 100, fingerprintsPerChunk: RECORDS },
];

/** A thousand records, as an on-object pipeline takes them, against a full window (S2.16, X12). */
export const microBatch: Benchmark = {
  name: 'micro-batch',
  title: 'what does the ledger cost for a batch of 1,000 records when the window is full?',
  async run(context) {
    const stack = await startLedgerStack();
    const results: Result[] = [];
    const usages: Usage[] = [];
    try {
      for (const filling of context.quick ? QUICK : FULL) {
        const found = await measureFilling(context, stack, filling);
        results.push(...found.results);
        usages.push(...found.usages);
      }
    } finally {
      await stack.stop();
    }
    return { results, usage: combined(usages) };
  },
};

async function measureFilling({ note, scratch }: BenchContext, stack: LedgerStack, { name, chunksADate, fingerprintsPerChunk }: Filling) {
  note(`${(4 * chunksADate * fingerprintsPerChunk).toLocaleString('en-US')} fingerprints of 4 event dates, ${chunksADate} chunks each`);
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS; // what the ledger may have expired would be read from storage
  const deps = { ...(await stack.fresh()), duckdbMemoryMb: DUCKDB_MEMORY_MB };
  for (let daysAgo = 0; daysAgo <= spec.dedup.latenessDays; daysAgo += 1) {
    await fillWindow(deps, spec, { eventDate: dateOf(today - daysAgo * DAY_MS), chunks: chunksADate, fingerprintsPerChunk, hasSegments: daysAgo === 0 });
  }
  const task: OurTask = { clientConfig: stack.clientConfig, deps: { ...deps, s3: undefined, dynamodb: undefined } };
  const ours = startChild(join(ROOT, 'bench/cases/dedup/ours.ts'), task);
  const results: Result[] = [];
  const usages: Usage[] = [];
  try {
    for (const [batch, cache] of (['cold', 'warm', 'warm again'] as const).entries()) {
      const shape = { format: 'json-lines', days: 1, lastDay: dateOf(today) } as const;
      await putRaw(deps, rawKey(`${dateOf(today)}T23`, `batch-${batch}.json.gz`), await objectOf([{ from: batch * RECORDS, to: (batch + 1) * RECORDS }], shape, scratch));
      const { answer, usage } = await dedupBatch(ours, nightEnding(dateOf(today + DAY_MS), batch + 1, spec));
      if (answer.counts.stored !== RECORDS) throw new Error(`Expected all ${RECORDS} records of a batch to be stored, found ${JSON.stringify(answer.counts)}`);
      usages.push(usage);
      if (cache === 'warm') continue; // it has the cold one's own segment to read of nobody: the next is like every later one
      results.push(...resultsOf(`micro-batch/${name}/${cache === 'cold' ? 'cold' : 'warm'}`, answer, usage, dateOf(today)));
    }
  } finally {
    await ours.stop();
    await rm(deps.workDir, { recursive: true, force: true });
  }
  return { results, usages };
}

function resultsOf(prefix: string, { capacity, partitionsRead }: OurAnswer, usage: Usage, today: string): readonly Result[] {
  const dates = partitionsRead.flatMap((key) => /^[^#]+#(\d{4}-\d{2}-\d{2})/.exec(key)?.[1] ?? []);
  const isWarm = prefix.endsWith('warm');
  return [
    held(`${prefix}/write-units`, capacity.writeUnits, `write units, an item a record ${RECORDS.toLocaleString('en-US')}`, 'at most', RECORDS / 20),
    isWarm
      ? held(`${prefix}/read-units`, capacity.readUnits, 'read units', 'at most', RECORDS)
      : told(`${prefix}/read-units`, capacity.readUnits, 'read units'),
    held(`${prefix}/other-dates-read`, dates.filter((date) => date !== today).length, `keys of other dates, ${dates.length} of the batch's own`, 'at most', 0),
    told(`${prefix}/requests`, capacity.requests, 'DynamoDB requests'),
    told(`${prefix}/seconds`, usage.seconds, `s, ${usage.cpuSeconds.toFixed(2)} CPU-s`),
    ...(usage.peakMb === undefined ? [] : [held(`${prefix}/memory`, usage.peakMb, 'MB', 'at most', 512 + DUCKDB_MEMORY_MB)]),
  ];
}

/** Found, deduplicated, and marked as loaded, as generations of one cycle. */
async function dedupBatch(ours: Child, cycle: OurOrder['cycle']): Promise<{ readonly answer: OurAnswer; readonly usage: Usage }> {
  const order = async <A>(step: OurOrder['step']): Promise<A> => {
    ours.send({ step, cycle, spec } satisfies OurOrder);
    return ours.next<A>();
  };
  await order('discover');
  const { result: answer, usage } = await measured([ours.pid], () => order<OurAnswer>('dedup'));
  await order('mark');
  return { answer, usage };
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
