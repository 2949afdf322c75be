import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import type { Activities } from '../../activities';
import { workflowBundle } from '../../worker/bundle';
import { FailureInterceptor } from '../../worker/failure-interceptor';

/** Built once for a state of the sources, by whichever test file needs it first. */
export const BUNDLE_CACHE = join(tmpdir(), 'meridian-test-bundles');

/** Runs `use` beside a worker on a task queue of its own, and stops the worker however it ends. */
export async function withWorker<T>(
  environment: TestWorkflowEnvironment,
  activities: Activities,
  use: (taskQueue: string) => Promise<T>,
): Promise<T> {
  const taskQueue = `test-${randomUUID()}`;
  const worker = await Worker.create({
    connection: environment.nativeConnection,
    taskQueue,
    activities,
    workflowBundle: await workflowBundle(BUNDLE_CACHE),
    maxHeartbeatThrottleInterval: '200 milliseconds', // cancellations reach an activity with its heartbeats
    interceptors: { activity: [() => ({ inbound: new FailureInterceptor() })] },
  });
  return worker.runUntil(() => use(taskQueue));
}
