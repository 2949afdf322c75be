/**
 * The promotion storm: `tsx test/faults/storm.ts --promotions 1000`. A private PostgreSQL and object store, the product's own
 * activities, and readers of both isolation levels in a process of their own. Few promotions meet readers that take 4 s, the
 * others short ones at a high pace; promotions and quiet take turns, so that both meet the same machine.
 */
import { Command, InvalidArgumentError } from 'commander';
import { createOutput, type Output } from '../../cli/output';
import { createActivities } from '../sql/fixture';
import { startObjectStore } from '../sql/object-store';
import { createTestDatabase } from '../support/postgres';
import { faultPipeline } from './pipeline';
import { recordStorm } from './report/record';
import { writeReliability } from './report/reliability';
import { promoteStormNight, type StormInput } from './storm/nights';
import { runPart, type StormPart, type StormPartInput } from './storm/part';
import { ADDED_WAIT_LIMIT_MS, type StormSummary, summarise } from './storm/summary';

interface StormOptions {
  readonly promotions: number;
  readonly longPromotions: number;
  readonly readsPerSecond: number;
  readonly secondsLimit: number;
  readonly record: boolean;
  readonly json: boolean;
}

const READERS = { short: 3, long: 0, readsPerSecond: 400, longMs: 4_000, longPauseMs: 2_000 };
/** Short enough that promotions and quiet meet the same machine. */
const BLOCK = { short: 50, long: 5 };

async function storm(options: StormOptions, output: Output, stop: AbortSignal): Promise<StormSummary> {
  const beganMs = Date.now();
  const [test, store] = await Promise.all([createTestDatabase(), startObjectStore()]);
  try {
    const storm: StormInput = { test, s3: store.s3, activities: createActivities(test, store.s3), spec: faultPipeline('storm') };
    // The first one makes the views.
    await promoteStormNight(storm, 1);
    const common = { storm, connection: connectionOf(test.configOf('meridian_reader')), stop, output };
    const readers = { ...READERS, readsPerSecond: options.readsPerSecond };
    const parts: StormPart[] = [];
    const part = async (input: Pick<StormPartInput, 'name' | 'readers' | 'promotions'>, seconds: number) => {
      const from = 2 + parts.reduce((sum, { nights }) => sum + nights.length, 0);
      if (input.promotions > 0) parts.push(await runPart({ ...common, ...input, from, blockSize: BLOCK[input.name], deadlineMs: beganMs + seconds * 1_000 }));
    };
    await part({ name: 'long', readers: { ...readers, long: 1 }, promotions: Math.min(options.longPromotions, options.promotions) }, options.secondsLimit / 4);
    const done = parts.flatMap(({ nights }) => nights).filter(({ outcome }) => outcome === 'promoted').length;
    await part({ name: 'short', readers, promotions: options.promotions - done }, options.secondsLimit);
    return summarise(parts, options.promotions, (Date.now() - beganMs) / 1_000);
  } finally {
    await Promise.all([test.stop(), store.stop()]);
  }
}

function connectionOf({ host, port, database, user, password }: ReturnType<Awaited<ReturnType<typeof createTestDatabase>>['configOf']>) {
  if (typeof password !== 'string') throw new Error('The private PostgreSQL has no password for its readers');
  return { host, port, database, user, password };
}

function describe(summary: StormSummary): string {
  const { promotions, blocked, reads, failed, empty, mixed, stale } = summary;
  return [
    `${promotions} promotions, ${blocked} blocked, ${summary.swapAttempts} swaps tried; ${reads} reads in ${summary.seconds} s`,
    `failed ${failed}, empty ${empty}, mixed ${mixed}, stale ${stale}`,
    ...summary.parts.map(
      ({ name, promoting, quiet, addedWaitMs }) =>
        `${name} readers: p50/p99/longest ${promoting.p50Ms}/${promoting.p99Ms}/${promoting.longestMs} ms promoting, ` +
        `${quiet.p50Ms}/${quiet.p99Ms}/${quiet.longestMs} ms quiet; added to the longest: ${addedWaitMs} ms (limit ${ADDED_WAIT_LIMIT_MS})`,
    ),
    ...summary.violations.map((violation) => JSON.stringify(violation)),
    summary.passed ? 'passed' : 'FAILED',
  ].join('\n');
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('expected a number that is not negative');
  return value;
}

async function main(): Promise<void> {
  const options = new Command('storm')
    .description('a thousand promotions among readers of both isolation levels: what they see, and how long they wait')
    .option('--promotions <count>', 'promotions in all', positive, 1_000)
    .option('--long-promotions <count>', 'of these beside readers that take 4 s', positive, 10)
    .option('--reads-per-second <count>', 'of each of the short readers', positive, READERS.readsPerSecond)
    .option('--seconds-limit <seconds>', 'no further promotions after that', positive, 900)
    .option('--no-record', 'leave the record and docs/reliability.md as they are')
    .option('--json', 'print one JSON document', false)
    .parse()
    .opts<StormOptions>();
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const output = createOutput(options);
  const summary = await storm(options, output, stop.signal);
  if (options.record) {
    recordStorm(summary);
    writeReliability();
  }
  output.result(summary, describe(summary));
  if (!summary.passed) process.exitCode = 1;
}

void main();
