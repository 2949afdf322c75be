import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Context } from '@temporalio/activity';
import type { WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import { backfillWorkflowId } from '../../domain/backfill';
import { cycleWorkflowId } from '../../domain/cycle';
import { workflowBundle } from '../../worker/bundle';
import { versioningOf } from '../../worker/main';
import { startMeridian } from '../e2e/meridian-process';
import { startTestEnvironment } from '../support/temporal';
import { BUNDLE_CACHE } from '../support/worker';
import { type Call, fakeActivities } from './fake-activities';

const LIMIT_MS = 180_000;
const taskQueue = `builds-${randomUUID()}`;
let environment: TestWorkflowEnvironment;
let env: NodeJS.ProcessEnv;
beforeAll(async () => {
  environment = await startTestEnvironment();
  env = { ...process.env, TEMPORAL_ADDRESS: environment.address, MERIDIAN_TASK_QUEUE: taskQueue, MERIDIAN_HOME: join(tmpdir(), 'meridian-no-stack') };
}, 60_000);
afterAll(() => environment.teardown());

/** A night's Spark job that ends when it is told to. */
class Job {
  end: () => void = () => undefined;
  readonly ended = new Promise<void>((done) => (this.end = done));
}

/** A worker on the queue that all share; its activities say what it was asked. Without a build it is unversioned. */
async function workerOf(buildId: string | undefined, job: Job) {
  const { activities, calls } = fakeActivities({
    awaitSparkJob: async () => {
      await Promise.race([job.ended, Context.current().cancelled]);
      return { jobRunId: 'jr-1', vCpuHours: 0.1, memoryGbHours: 0.4, storageGbHours: 1 };
    },
  });
  const worker = await Worker.create({
    connection: environment.nativeConnection,
    taskQueue,
    activities,
    workflowBundle: await workflowBundle(BUNDLE_CACHE),
    ...versioningOf(buildId === undefined ? {} : { build: { deploymentName: 'meridian', buildId } }),
  });
  const running = worker.run();
  const asked = (name: Call['name']) => calls.filter((call) => call.name === name).length;
  return {
    asked,
    jobAwaited: async () => {
      while (asked('awaitSparkJob') === 0) await new Promise((tick) => setTimeout(tick, 50));
    },
    stop: async () => {
      if (worker.getState() === 'RUNNING') worker.shutdown();
      await running;
    },
  };
}

function start(intervalEnd: string, workflowId = cycleWorkflowId('mobile-geolocation', intervalEnd)): Promise<WorkflowHandle> {
  return environment.client.workflow.start('etlCycle', { workflowId, taskQueue, args: [{ pipeline: 'mobile-geolocation', intervalEnd }] });
}

async function builds(...args: readonly string[]) {
  const { code, stdout, stderr } = await startMeridian(['builds', ...args, ...(args[0] === '--help' ? [] : ['--json'])], env).finished;
  return { code, stderr, said: stdout === '' ? undefined : (JSON.parse(stdout) as unknown) };
}

test(
  'with two builds at once a cycle stays with the build that began it, a new one gets the promoted one, and the old build may stop once its cycles have ended (I8)',
  async () => {
    const [job, nothing] = [new Job(), new Job()];
    nothing.end();
    const old = await workerOf('b1', job);
    const workers = [old];
    try {
      expect(await builds('promote', 'b1')).toMatchObject({ code: 0, said: { buildId: 'b1', replaced: null } });
      const first = await start('2018-08-02T00:00:00Z', 'typed-by-somebody'); // delegates to a child under the cycle's own id
      const filling = await environment.client.workflow.start('backfill', {
        workflowId: backfillWorkflowId('mobile-geolocation'),
        taskQueue,
        args: [{ pipeline: 'mobile-geolocation', from: '2018-07-01T00:00:00Z', to: '2018-07-03T00:00:00Z' }],
      });
      await filling.signal('pause');
      await old.jobAwaited();

      const next = await workerOf('b2', nothing);
      workers.push(next);
      expect(await builds('promote', 'b2')).toMatchObject({ code: 0, said: { buildId: 'b2', replaced: 'b1' } });
      const second = await start('2018-08-03T00:00:00Z', 'typed-by-somebody-else');

      expect(await second.result()).toMatchObject({ outcome: 'promoted' });
      expect([old.asked('promote'), next.asked('promote')]).toEqual([0, 1]);
      expect(await builds('drain', 'b1', '--no-wait')).toMatchObject({ code: 1, said: { buildId: 'b1', open: 2 } });
      expect(await builds('drain', 'b2', '--no-wait')).toMatchObject({ code: 1, stderr: expect.stringContaining('is the current one') as string });
      expect((await builds('list')).said).toMatchObject({ builds: expect.arrayContaining([expect.objectContaining({ buildId: 'b1', current: false, open: 2 }), expect.objectContaining({ buildId: 'b2', current: true })]) as unknown });
      const draining = startMeridian(['builds', 'drain', 'b1'], env);
      await draining.said(/Build b1: 2 open/);
      job.end();
      expect(await first.result()).toMatchObject({ outcome: 'promoted' });
      expect(await draining.finished).toMatchObject({ code: 0, stdout: expect.stringContaining('its workers may stop') as string });
      expect([old.asked('promote'), next.asked('promote')]).toEqual([1, 1]);
      // What upgrades by itself did not count, and goes on without the old build.
      await old.stop();
      await filling.signal('resume');
      expect(await filling.result()).toMatchObject({ state: 'done' });
    } finally {
      for (const each of workers) await each.stop();
    }
  },
  LIMIT_MS,
);

test(
  'a cycle that an unversioned worker began is taken on by the first build that is promoted, and lost by nobody (I8)',
  async () => {
    const [job, nothing] = [new Job(), new Job()];
    nothing.end();
    await environment.client.workflowService.setWorkerDeploymentCurrentVersion({ namespace: 'default', deploymentName: 'meridian', buildId: '', identity: 'test', ignoreMissingTaskQueues: true });
    const plain = await workerOf(undefined, job);
    const workers = [plain];
    try {
      const cycle = await start('2018-08-04T00:00:00Z');
      await plain.jobAwaited();
      expect((await builds('list')).said).toMatchObject({ unversioned: 1 });
      const versioned = await workerOf('b3', nothing);
      workers.push(versioned);
      expect((await builds('promote', 'b3')).code).toBe(0);
      job.end();

      expect(await cycle.result()).toMatchObject({ outcome: 'promoted' });
      expect([plain.asked('promote'), versioned.asked('promote')]).toEqual([0, 1]);
    } finally {
      for (const each of workers) await each.stop();
    }
  },
  LIMIT_MS,
);

test.each([
  [['drain', 'b9'], 1, /Temporal knows no build b9: there are b3, b2, b1/],
  [['drain', "b1' OR"], 2, /is no build id/],
  [['drain', 'b1', '--timeout', 'long'], 2, /--timeout: expected a whole number/],
] as const)('builds %j exits %d and says what is wrong', async (args, code, message) => {
  expect(await builds(...args)).toMatchObject({ code, stderr: expect.stringMatching(message) as string });
});

test('a workflow that continues as new is pinned to no build, which could never be stopped (I8)', () => {
  const folder = resolve(__dirname, '..', '..', 'workflows');
  const sources = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const);

  const pinned = sources.filter(([, source]) => source.includes('continueAsNew') && !source.includes('autoUpgrade(')).map(([name]) => name);

  expect(pinned).toEqual([]); // `autoUpgrade(<workflow>)` beside it
});
