/** A worker as worker/main.ts makes it, whose activities answer at once: what is left of a cycle is what Temporal and our code cost. */
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { Activities } from '../../../activities';
import type { DiscoveredBatches } from '../../../activities/batches';
import { requestedInterval } from '../../../domain/calendar';
import { NO_RECORDS } from '../../../domain/conservation';
import { mobileGeolocation } from '../../../pipelines/mobile-geolocation';
import { BUNDLE_CACHE } from '../../../test/support/worker';
import { fakeActivities, STORED } from '../../../test/workflows/fake-activities';
import { workflowBundle } from '../../../worker/bundle';
import { workerTuning } from '../../../worker/tuning';
import { keepYoungGenerationSmall } from '../../../worker/young-generation';
import { taskOfChild, tell } from '../../engines/child';

export interface WorkerTask {
  readonly address: string;
  readonly taskQueue: string;
  /** What every cycle discovers, where it is not a small batch. */
  readonly found?: DiscoveredBatches;
}

/** Every pipeline that is asked for exists, with a dataset of its own: no cycle waits for another's turn. */
function instantActivities(found: WorkerTask['found']) {
  const { activities, calls } = fakeActivities({
    resolvePipeline: async ({ pipeline, intervalEnd, startedAt }) => ({
      spec: { ...mobileGeolocation, name: pipeline, dataset: pipeline.replaceAll('-', '_') },
      interval: requestedInterval({ intervalHours: 24 }, intervalEnd, new Date(startedAt)),
    }),
    announceOutcome: async () => {
      calls.length = 0; // a thousand cycles' inputs would be the worker's memory
      return { announced: true };
    },
    ...(found === undefined ? {} : largeBatch(found)),
  });
  return activities;
}

/** However many slices it is deduplicated in, together they store what the rest of the night is about. */
function largeBatch(found: DiscoveredBatches): Partial<Activities> {
  const nothing = { counts: NO_RECORDS, capacity: { readUnits: 0, writeUnits: 0, requests: 0 }, files: 0 };
  const all = { ...nothing, counts: { ...NO_RECORDS, read: STORED, stored: STORED } };
  return { discoverBatches: async () => found, dedupChunks: async ({ fromChunk }) => (fromChunk === 0 ? all : nothing) };
}

async function main(): Promise<void> {
  keepYoungGenerationSmall();
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const { address, taskQueue, found } = taskOfChild<WorkerTask>();
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowBundle: await workflowBundle(BUNDLE_CACHE),
    activities: instantActivities(found),
    ...workerTuning(),
  });
  const running = worker.run();
  tell({ ready: true });
  await running;
  await connection.close();
  process.disconnect();
}

void main();
