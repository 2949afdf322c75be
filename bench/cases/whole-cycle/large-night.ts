import { setTimeout as sleep } from 'node:timers/promises';
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { type CycleRef, generationPrefix } from '../../../domain/cycle';
import { mobileGeolocation } from '../../../pipelines/mobile-geolocation';
import { measured, memoryMbOf, type Usage } from '../../measure';
import { prepareByHand, runByHand, type Served, servedBy } from './by-hand';
import { type Delivery, objectsOf } from './records';
import type { CycleShares } from './shares';
import type { BenchStack } from './stack';

/** A night of so many records by the product, and the same one by hand. */
export interface LargeNight {
  readonly shares: CycleShares;
  /** Rows that Spark had to make, those of days that changed; and that the gate had to read, those added and all that are served. */
  readonly rows: { readonly transform: number; readonly check: number };
  readonly ours: Usage;
  readonly byHand: Usage;
  /** Seconds by step of the script. */
  readonly byHandSteps: Readonly<Record<string, number>>;
}

/** After the demo's nights; nothing but these is recorded in their window. */
const [EARLIER_DAY, DAY, DAY_AFTER] = ['2019-12-09', '2019-12-10', '2019-12-11'];
/** The demo's last promoted night, which serves all the days of the demo. */
const DEMO_SERVES = '2018-08-03T00:00:00Z';
/** Of the night's records, those that the night before brought already. */
const REPEATED_SHARE = 0.1;
const SAMPLE_MS = 1_000;
const HOUR_MS = 3_600_000;

/**
 * Delivers a night of a tenth of the records, and then one of all: by hand first, which changes nothing that the product reads, then by
 * `meridian run`. Both count every process of the stack and the command itself.
 * @throws Error when the two do not serve the same
 */
export async function runLargeNight(stack: BenchStack, records: number, scratch: string, note: (message: string) => void): Promise<LargeNight> {
  const repeated = { day: EARLIER_DAY, from: 0, to: records * REPEATED_SHARE };
  const database = stack.database();
  try {
    note(`a night of ${repeated.to.toLocaleString('en-US')} records before it`);
    await deliver(stack, { arrives: EARLIER_DAY, records: [repeated] }, scratch);
    await stack.runNight(endOf(DAY));
    note(`delivering ${records.toLocaleString('en-US')} records, a tenth of them again`);
    await deliver(stack, { arrives: DAY, records: [repeated, { day: DAY, from: repeated.to, to: records }] }, scratch);
    await prepareByHand(database.pool);
    const night = { day: DAY, windowFrom: EARLIER_DAY, earlierParquet: [DEMO_SERVES, endOf(DAY)].map((end) => parquetOf(stack, end)) };
    note('the night by hand');
    const byHand = await metered(stack, () => runByHand(stack, night, scratch));
    note('the night by meridian run');
    const ours = await metered(stack, () => stack.runNight(endOf(DAY_AFTER)));
    expectSame(await servedBy(database.pool, 'public'), await servedBy(database.pool, 'by_hand'));
    const [shares] = await stack.sharesOf([endOf(DAY_AFTER)]);
    if (shares === undefined) throw new Error(`The night until ${endOf(DAY_AFTER)} has no history`);
    const added = records - repeated.to;
    return { shares, rows: { transform: added, check: added + records }, ours: ours.usage, byHand: byHand.usage, byHandSteps: byHand.result };
  } finally {
    await database.close();
  }
}

/** Clock and CPU of all that the stack and this process' children do, and the most memory that they had at once. */
async function metered<T>(stack: BenchStack, body: () => Promise<T>): Promise<{ readonly result: T; readonly usage: Usage }> {
  const roots = [...stack.pids(), process.pid];
  const ended = new AbortController();
  let peakMb = 0;
  const sampling = (async () => {
    while (!ended.signal.aborted) {
      peakMb = Math.max(peakMb, memoryMbOf(roots));
      await sleep(SAMPLE_MS, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  })();
  try {
    const { result, usage } = await measured(roots, body);
    return { result, usage: { ...usage, peakMb } };
  } finally {
    ended.abort();
    await sampling;
  }
}

async function deliver(stack: BenchStack, delivery: Delivery, scratch: string): Promise<void> {
  const s3 = stack.s3();
  try {
    for await (const { key, body } of objectsOf(delivery, scratch)) {
      await s3.send(new PutObjectCommand({ Bucket: stack.setting('MERIDIAN_RAW_BUCKET'), Key: key, Body: body }));
    }
  } finally {
    s3.destroy();
  }
}

function parquetOf(stack: BenchStack, intervalEnd: string): string {
  const { name: pipeline, dataset, intervalHours } = mobileGeolocation;
  const intervalStart = new Date(Date.parse(intervalEnd) - intervalHours * HOUR_MS).toISOString();
  const cycle: CycleRef = { pipeline, dataset, intervalStart, intervalEnd, generation: 1 };
  return `s3://${stack.setting('MERIDIAN_REFINED_BUCKET')}/${generationPrefix(cycle)}/positions/parquet/`;
}

function endOf(nextDay: string): string {
  return `${nextDay}T00:00:00Z`;
}

function expectSame(ours: Readonly<Record<string, Served>>, byHand: Readonly<Record<string, Served>>): void {
  if (JSON.stringify(ours) !== JSON.stringify(byHand)) throw new Error(`The product serves ${JSON.stringify(ours)}, by hand it is ${JSON.stringify(byHand)}`);
}
