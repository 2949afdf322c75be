/** A worker as worker/main.ts makes it, whose activities answer at once: what is left of a cycle is what Temporal and our code cost. */
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { requestedInterval } from '../../../domain/calendar';
import { mobileGeolocation } from '../../../pipelines/mobile-geolocation';
import { BUNDLE_CACHE } from '../../../test/support/worker';
import { fakeActivities } from '../../../test/workflows/fake-activities';
import { workflowBundle } from '../../../worker/bundle';
import { workerTuning } from '../../../worker/tuning';
import { taskOfChild, tell } from '../../engines/child';

export interface WorkerTask {
  readonly address: string;
  readonly taskQueue: string;
}

/** Every pipeline that is asked for exists, with a dataset of its own: no cycle waits for another's turn. */
function instantActivities() {
  const { activities, calls } = fakeActivities({
    resolvePipeline: async ({ pipeline, intervalEnd, startedAt }) => ({
      spec: { ...mobileGeolocation, name: pipeline, dataset: pipeline.replaceAll('-', '_') },
      interval: requestedInterval({ intervalHours: 24 }, intervalEnd, new Date(startedAt)),
    }),
    announceOutcome: async () => {
      calls.length = 0; // a thousand cycles' inputs would be the worker's memory
      return { announced: true };
    },
  });
  return activities;
}

async function main(): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const { address, taskQueue } = taskOfChild<WorkerTask>();
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowBundle: await workflowBundle(BUNDLE_CACHE),
    activities: instantActivities(),
    ...workerTuning(),
  });
  const running = worker.run();
  tell({ ready: true });
  await running;
  await connection.close();
  process.disconnect();
}

void main();
