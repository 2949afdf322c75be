import { createOutput } from '../../cli/output';
import { faultPipeline } from '../../test/faults/pipeline';
import { promoteStormNight, type StormInput } from '../../test/faults/storm/nights';
import { runPart } from '../../test/faults/storm/part';
import { ADDED_WAIT_LIMIT_MS, summarise } from '../../test/faults/storm/summary';
import { createActivities } from '../../test/sql/fixture';
import { type ObjectStore, startObjectStore } from '../../test/sql/object-store';
import { createTestDatabase, startTestServer, type TestServer } from '../../test/support/postgres';
import type { Benchmark } from '../benchmark';
import { measured } from '../measure';
import { held, type Result, told } from '../results';
import { compareWithRefresh } from './promotion/refresh';

const NEVER = new AbortController().signal;

interface Storm {
  /** Among short readers, and among short and long ones. */
  readonly promotions: { readonly short: number; readonly long: number };
  /** Of each isolation level. */
  readonly readers: number;
  readonly readsPerSecond: number;
  /** How long a long read takes, which a promotion waits for. */
  readonly longMs: number;
}
/** 1,000 promotions, 32 readers; as many reads a second as fewer would make leave the machine to the promotions. */
const FULL: Storm = { promotions: { short: 980, long: 20 }, readers: 16, readsPerSecond: 20, longMs: 4_000 };
const QUICK: Storm = { promotions: { short: 15, long: 2 }, readers: 3, readsPerSecond: 100, longMs: 1_500 };

/** What readers notice of a promotion (X2), and what it saves the database against a refresh of the same result (S0.1, S0.11). */
export const promotion: Benchmark = {
  name: 'promotion',
  title: 'what do readers notice of a promotion, and what does it save against REFRESH MATERIALIZED VIEW?',
  async run({ quick, note }) {
    const [server, store] = await Promise.all([startTestServer(), startObjectStore()]);
    try {
      const { result: results, usage } = await measured([process.pid], async () => {
        note('promotions among readers');
        const storm = await stormOf(server, store, quick ? QUICK : FULL);
        const rows = quick ? 150_000 : 1_500_000;
        note(`${rows.toLocaleString('en-US')} raw records, refreshed and promoted`);
        return [...storm, ...(await refreshes(server, store, rows))];
      });
      return { results, usage };
    } finally {
      await Promise.all([server.stop(), store.stop()]);
    }
  },
};

/** Promotions and quiet by turns, both isolation levels; in the second part one reader of each takes long. */
async function stormOf(server: TestServer, store: ObjectStore, { promotions, readers: count, readsPerSecond, longMs }: Storm): Promise<readonly Result[]> {
  const test = await createTestDatabase(server);
  const beganMs = Date.now();
  try {
    const storm: StormInput = { test, s3: store.s3, activities: createActivities(test, store.s3), spec: faultPipeline('bench') };
    await promoteStormNight(storm, 1); // makes the views
    const { host, port, database, user, password } = test.configOf('meridian_reader');
    const connection = { host, port, database, user, ...(typeof password === 'string' ? { password } : {}) };
    const common = { storm, connection, stop: NEVER, output: createOutput({ json: true }), deadlineMs: Number.MAX_SAFE_INTEGER };
    const readers = { short: count, long: 0, readsPerSecond, longMs, longPauseMs: longMs / 2 };
    const short = await runPart({ ...common, name: 'short', readers, from: 2, promotions: promotions.short, blockSize: 15 });
    const long = await runPart({ ...common, name: 'long', readers: { ...readers, short: count - 1, long: 1 }, from: 2 + short.nights.length, promotions: promotions.long, blockSize: 5 });
    const summary = summarise([short, long], promotions.short + promotions.long, (Date.now() - beganMs) / 1_000);
    const name = (what: string) => `promotion/readers/${what}`;
    return [
      ...summary.parts.map((part) => held(name(`${part.name}-added-wait`), Math.max(0, part.addedWaitMs), 'ms more than the longest read without promotions', 'at most', ADDED_WAIT_LIMIT_MS)),
      held(name('failed-empty-mixed-stale'), summary.failed + summary.empty + summary.mixed + summary.stale, `of ${summary.reads} reads`, 'at most', 0),
      held(name('blocked'), summary.blocked, `of ${summary.promotions + summary.blocked} promotions`, 'at most', 0),
      told(name('p99-promoting'), summary.p99Ms.promoting, 'ms'),
      told(name('p99-quiet'), summary.p99Ms.quiet, 'ms'),
    ];
  } finally {
    await test.stop();
  }
}

async function refreshes(server: TestServer, store: ObjectStore, rows: number): Promise<readonly Result[]> {
  const test = await createTestDatabase(server);
  try {
    const { quiet, refresh, concurrently, ours } = await compareWithRefresh(test, store, rows);
    const results: Result[] = [told('promotion/refresh/readers-longest-quiet', quiet.longestMs, 'ms')];
    for (const [way, { usage, reads }] of Object.entries({ meridian: ours, refresh, concurrently })) {
      results.push(told(`promotion/refresh/${way}-seconds`, usage.seconds, 's'));
      results.push(told(`promotion/refresh/${way}-database-cpu`, usage.cpuSeconds, 'CPU-s of the database'));
      results.push(told(`promotion/refresh/${way}-readers-longest`, reads.longestMs, `ms, p99 ${reads.p99Ms.toFixed(0)}`));
    }
    for (const [way, { usage }] of Object.entries({ refresh, concurrently })) {
      results.push(held(`promotion/refresh/seconds-by-${way}`, ours.usage.seconds / usage.seconds, `of ${way}'s`, 'at most', 1));
      results.push(held(`promotion/refresh/database-cpu-by-${way}`, ours.usage.cpuSeconds / usage.cpuSeconds, `of ${way}'s`, 'at most', 1));
    }
    results.push(held('promotion/refresh/readers-longest-added', Math.max(0, ours.reads.longestMs - quiet.longestMs), 'ms more than quiet', 'at most', ADDED_WAIT_LIMIT_MS));
    return results;
  } finally {
    await test.stop();
  }
}
