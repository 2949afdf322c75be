import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { cycleWorkflowId, scheduleId } from '../../domain/cycle';
import { toRfc3339 } from '../../domain/data-interval';
import { freePort } from '../../infra/local/ports';
import { stopProcess } from '../../infra/local/processes';
import { startTemporal, TEMPORAL, type TemporalOptions } from '../../infra/local/temporal';
import { scheduleOptions } from '../../cli/schedules/desired';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import { workflowBundle } from '../../worker/bundle';
import { required } from '../support/temporal';
import { BUNDLE_CACHE } from '../support/worker';
import { fakeActivities } from '../workflows/fake-activities';

/** Nights of two seconds: an outage of three of them is over in a test's time. The server makes up nothing older than ten seconds at least. */
const TICK_MS = 2_000;
const DOWN_MS = 14_000;
const TASK_QUEUE = 'catch-up';

let server: TemporalOptions;
beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  server = { home: mkdtempSync(join(tmpdir(), 'meridian-catch-up-')), executable: required('MERIDIAN_TEMPORAL'), port: await freePort(), uiPort: await freePort() };
});
afterAll(async () => {
  await stopProcess(server.home, TEMPORAL);
  rmSync(server.home, { recursive: true });
});

/** Ends of the intervals whose cycles were opened, by pipeline, in the order in which they were. */
const opened = new Map<string, string[]>();
const endsOf = (pipeline: string) => opened.get(pipeline) ?? [];

async function withServer<T>(use: (client: Client) => Promise<T>): Promise<T> {
  const { address } = await startTemporal(server);
  const connection = await Connection.connect({ address });
  try {
    return await use(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

/** A worker whose calendar ticks every two seconds; it opens cycles and finds nothing in them. */
async function withWorker<T>(use: () => Promise<T>): Promise<T> {
  const { activities } = fakeActivities({
    resolvePipeline: async ({ pipeline, startedAt }) => ({
      spec: { ...mobileGeolocation, name: pipeline, dataset: pipeline },
      interval: { start: toRfc3339(new Date(Date.parse(startedAt) - TICK_MS)), end: startedAt },
    }),
    openCycle: async ({ spec, intervalStart, intervalEnd, workflowId }) => {
      expect(workflowId).toBe(cycleWorkflowId(spec.name, intervalEnd)); // no start was delegated: each is the cycle itself
      opened.set(spec.name, [...endsOf(spec.name), intervalEnd]);
      return { cycle: { pipeline: spec.name, dataset: spec.dataset, intervalStart, intervalEnd, generation: 1 }, olderJobs: [] };
    },
    discoverBatches: async () => ({ manifest: { bucket: 'b', key: 'k' }, objectCount: 0, sizeBytes: 0, chunkCount: 0 }),
  });
  const connection = await NativeConnection.connect({ address: `127.0.0.1:${server.port}` });
  const worker = await Worker.create({ connection, taskQueue: TASK_QUEUE, activities, workflowBundle: await workflowBundle(BUNDLE_CACHE) });
  try {
    return await worker.runUntil(use);
  } finally {
    await connection.close();
  }
}

/** The Schedule that `apply` would make, but for its ticks and, of those that were missed, how old one may be. */
async function createSchedule(client: Client, pipeline: string, catchupWindow: '72 hours' | '10 seconds'): Promise<void> {
  const schedule = { ...mobileGeolocation.schedule, catchupWindowHours: 72 } as const;
  const options = scheduleOptions({ ...mobileGeolocation, name: pipeline, schedule }, TASK_QUEUE);
  await client.schedule.create({ ...options, spec: { intervals: [{ every: TICK_MS }] }, policies: { ...options.policies, catchupWindow } });
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(100);
}

/** Every tick from the first to the last of a list. */
function allTicks(ends: readonly string[]): readonly string[] {
  const [first, last] = [Date.parse(ends[0] ?? ''), Date.parse(ends.at(-1) ?? '')];
  return Array.from({ length: (last - first) / TICK_MS + 1 }, (_, index) => toRfc3339(new Date(first + index * TICK_MS)));
}

test('after an outage each missed night within the catch-up window is made up, in order, none lost, none doubled; older ones are counted as missed (S2.11)', async () => {
  await withServer(async (client) => {
    await createSchedule(client, 'all', '72 hours');
    await createSchedule(client, 'recent', '10 seconds');
    await withWorker(() => until(() => endsOf('all').length >= 1 && endsOf('recent').length >= 1));
  });
  await stopProcess(server.home, TEMPORAL);
  const downAt = toRfc3339(new Date());
  await sleep(DOWN_MS);
  const upAt = toRfc3339(new Date());

  const missed = await withServer(async (client) => {
    await withWorker(() => until(() => ['all', 'recent'].every((pipeline) => (endsOf(pipeline).at(-1) ?? '') > upAt)));
    const { info } = await client.schedule.getHandle(scheduleId('recent')).describe();
    return info.numActionsMissedCatchupWindow;
  });

  const during = endsOf('all').filter((end) => end > downAt && end < upAt);
  expect(during.length).toBeGreaterThanOrEqual(3);
  expect(endsOf('all')).toEqual(allTicks(endsOf('all')));
  expect(missed).toBeGreaterThan(0);
  expect(endsOf('recent')).toEqual([...new Set(endsOf('recent'))].sort());
  expect(endsOf('recent')).toHaveLength(allTicks(endsOf('recent')).length - missed);
}, 120_000);
