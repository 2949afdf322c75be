import type { S3ClientConfig } from '@aws-sdk/client-s3';
import { forEachParallel } from '../../activities/for-each-parallel';
import type { DiscoveredBatches } from '../../activities/batches';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { type LedgerStack, startLedgerStack } from '../../test/dedup/support/ledger-stack';
import { nightEnding, putRaw, rawKey, SPEC } from '../../test/dedup/support/nights';
import type { BenchContext, Benchmark } from '../benchmark';
import { ROOT } from '../checkout';
import { type Child, startChild } from '../engines/child';
import type { ListingAsked, ListingReady, ListingTask } from '../engines/listing-double';
import { combined, measured, type Usage } from '../measure';
import { held, type Result, told } from '../results';
import { CycleRig } from './cycle-overhead/cycles';
import type { DiscoveryOrder, DiscoveryTask } from './discovery/ours';

const WORKER_MB = 512;
const MOST_EVENTS = 2_000;
/** Of 10 MB each: a million are 10 TB. */
const OBJECT_BYTES = 10_000_000;
/** The first byte of a listing, as S3's guidelines give it for small requests: 100 to 200 ms; here half of the lower. */
const LATENCY_MS = 50;
const PUTS_AT_ONCE = 16;
/** Four days of arrival hours: an interval and the lateness before it. */
const HOURS = 96;
const NIGHT = '2018-08-05';

/** Whether what a cycle finds costs in proportion and leaves memory and history as they are (S2.2, design section 1). */
export const discovery: Benchmark = {
  name: 'discovery',
  title: 'does a million raw objects cost what a hundred times ten thousand do, and no memory or history?',
  async run(context) {
    const stack = await startLedgerStack();
    const results: Result[] = [];
    const usages: Usage[] = [];
    try {
      for (const part of [byDouble, byLocalS3]) {
        const found = await part(context, stack);
        results.push(...found.results);
        usages.push(...found.usages);
      }
    } finally {
      await stack.stop();
    }
    return { results, usage: combined(usages) };
  },
};

interface Discovered {
  readonly found: DiscoveredBatches;
  readonly usage: Usage;
  readonly asked: ListingAsked;
}

/** Two sizes a hundred times apart (quick: ten), against listings that take as long as S3's. */
async function byDouble(context: BenchContext, stack: LedgerStack) {
  const { quick, note, against, scratch } = context;
  const sizes = quick ? [5_000, 50_000] : [10_000, 1_000_000];
  const ways: { readonly objects: number; readonly ours: Discovered }[] = [];
  const results: Result[] = [];
  for (const objects of sizes) {
    note(`${objects.toLocaleString('en-US')} objects, listing double`);
    const ours = await discoverByDouble(stack, objects, ROOT);
    const name = (what: string) => `discovery/double-${shortened(objects)}/${what}`;
    results.push(told(name('rate'), objects / ours.usage.seconds, `objects/s, ${LATENCY_MS} ms a listing`));
    results.push(told(name('cpu'), (ours.usage.cpuSeconds / objects) * 1e6, 'CPU-s a million objects'));
    results.push(held(name('listings'), ours.asked.listings / objects, 'listings an object', 'at most', 0.002 + (HOURS * 2) / objects));
    results.push(told(name('at-once'), ours.asked.mostAtOnce, 'listings at once at most'));
    if (ours.usage.peakMb !== undefined) results.push(held(name('memory'), ours.usage.peakMb, 'MB', 'at most', WORKER_MB));
    if (against !== undefined) {
      const theirs = await discoverByDouble(stack, objects, against.root);
      results.push(told(name(`seconds-by-${against.commit}`), ours.usage.seconds / theirs.usage.seconds, `of its seconds, ${theirs.usage.seconds.toFixed(1)}`));
      results.push(told(name(`cpu-by-${against.commit}`), ours.usage.cpuSeconds / theirs.usage.cpuSeconds, `of its CPU-s, ${theirs.usage.cpuSeconds.toFixed(1)}`));
      results.push(told(name(`memory-by-${against.commit}`), (ours.usage.peakMb ?? NaN) / (theirs.usage.peakMb ?? NaN), `of its peak, ${theirs.usage.peakMb?.toFixed(0)} MB`));
    }
    ways.push({ objects, ours });
  }
  const [few, many] = [ways[0], ways.at(-1)];
  if (few === undefined || many === undefined) throw new Error('Two sizes were expected');
  const times = many.objects / few.objects;
  const name = (what: string) => `discovery/flat/${what}`;
  results.push(held(name('seconds'), many.ours.usage.seconds / few.ours.usage.seconds / times, `of ${times} times the seconds of ${shortened(few.objects)}`, 'at most', 1));
  results.push(held(name('memory'), (many.ours.usage.peakMb ?? NaN) / (few.ours.usage.peakMb ?? NaN), `of the memory of ${shortened(few.objects)}`, 'at most', 2));
  note('their cycles on Temporal');
  const histories = await historiesOf(scratch, [few.ours.found, many.ours.found]);
  results.push(held(name('history-events'), histories[1] ?? NaN, `events of ${shortened(many.objects)}, ${histories[0]} of ${shortened(few.objects)}`, 'at most', MOST_EVENTS));
  return { results, usages: ways.map(({ ours }) => ours.usage) };
}

async function discoverByDouble(stack: LedgerStack, objects: number, root: string): Promise<Discovered> {
  const hours = Array.from({ length: HOURS }, (_, hour) => rawKey(hourOf(hour), ''));
  const listing: ListingTask = { hours, objects, sizeBytes: OBJECT_BYTES, latencyMs: LATENCY_MS };
  const double = startChild(`${ROOT}/bench/engines/listing-double.ts`, listing);
  try {
    const { port } = await double.next<ListingReady>();
    const ours = await startOurs(stack, { ...stack.clientConfig, endpoint: `http://127.0.0.1:${port}` }, root);
    try {
      const { result: found, usage } = await measured([ours.pid], () => order<DiscoveredBatches>(ours, 'discoverBatches', NIGHT));
      expectFound(found, objects);
      double.send({});
      return { found, usage, asked: await double.next<ListingAsked>() };
    } finally {
      await ours.stop();
    }
  } finally {
    await double.stop();
  }
}

/** Real objects and the real table: found, marked as loaded, and then not found again. */
async function byLocalS3({ quick, note }: BenchContext, stack: LedgerStack) {
  const objects = quick ? 1_000 : 100_000;
  note(`${objects.toLocaleString('en-US')} objects, local S3`);
  const deps = await stack.fresh();
  const keys = Array.from({ length: objects }, (_, index) => rawKey(hourOf(index % HOURS), `part-${String(index).padStart(7, '0')}.json.gz`));
  await forEachParallel(keys, PUTS_AT_ONCE, async (key) => void (await putRaw(deps, key, '{}\n')));
  const ours = await startOurs({ ...stack, deps }, stack.clientConfig, ROOT);
  try {
    const name = (what: string) => `discovery/local-${shortened(objects)}/${what}`;
    const first = await measured([ours.pid], () => order<DiscoveredBatches>(ours, 'discoverBatches', NIGHT));
    expectFound(first.result, objects);
    const marked = await measured([ours.pid], () => order<object>(ours, 'markObjects', NIGHT));
    const again = await measured([ours.pid], () => order<DiscoveredBatches>(ours, 'discoverBatches', NIGHT, 2));
    expectFound(again.result, 0);
    const results: Result[] = [
      told(name('rate'), objects / first.usage.seconds, 'objects/s'),
      told(name('cpu'), (first.usage.cpuSeconds / objects) * 1e6, 'CPU-s a million objects'),
      told(name('mark-rate'), objects / marked.usage.seconds, 'objects/s marked as loaded'),
      told(name('all-loaded-rate'), objects / again.usage.seconds, 'objects/s when all are loaded'),
    ];
    const peaks = [first, marked, again].map(({ usage }) => usage.peakMb);
    if (peaks.every((peak) => peak !== undefined)) results.push(held(name('memory'), Math.max(...peaks), 'MB', 'at most', WORKER_MB));
    return { results, usages: [first.usage, marked.usage, again.usage] };
  } finally {
    await ours.stop();
  }
}

/** A cycle of each batch, its stages instant: what the number of objects adds to a history. */
async function historiesOf(scratch: string, batches: readonly DiscoveredBatches[]): Promise<readonly number[]> {
  const events: number[] = [];
  for (const found of batches) {
    const rig = await CycleRig.start(scratch, 'memory', ROOT, undefined, found);
    try {
      await rig.oneAtATime(1);
      events.push((await rig.historySize()).events);
    } finally {
      await rig.stop();
    }
  }
  return events;
}

async function startOurs({ deps, clientConfig }: LedgerStack, s3: S3ClientConfig, root: string): Promise<Child> {
  const task: DiscoveryTask = { s3, dynamodb: clientConfig, names: { buckets: deps.buckets, objectsTable: deps.objectsTable } };
  const ours = startChild(`${root}/bench/cases/discovery/ours.ts`, task);
  await order<DiscoveredBatches>(ours, 'discoverBatches', EMPTY_NIGHT); // modules and connections are there from here on
  return ours;
}

async function order<A>(ours: Child, step: DiscoveryOrder['step'], end: string, generation = 1): Promise<A> {
  const spec: PipelineSpec = SPEC;
  ours.send({ step, cycle: nightEnding(end, generation, spec), spec } satisfies DiscoveryOrder);
  return ours.next<A>();
}

function expectFound({ objectCount }: DiscoveredBatches, expected: number): void {
  if (objectCount !== expected) throw new Error(`Expected discovery to find ${expected} objects, found ${objectCount}`);
}

/** `2018-08-01T13`, of the hours that the night's cycle takes. */
function hourOf(hour: number): string {
  return new Date(Date.parse(`${NIGHT}T00:00:00Z`) - (HOURS - hour) * 3_600_000).toISOString().slice(0, 13);
}

/** Long before any object. */
const EMPTY_NIGHT = '2018-01-01';

/** 50k, 1m. */
function shortened(count: number): string {
  return count >= 1_000_000 ? `${count / 1_000_000}m` : `${count / 1_000}k`;
}
