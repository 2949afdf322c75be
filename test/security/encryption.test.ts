import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { WorkflowFailedError } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { Worker } from '@temporalio/worker';
import type { Activities } from '../../activities';
import { cycleWorkflowId } from '../../domain/cycle';
import type { CycleProgress, CycleReport } from '../../domain/progress';
import { encryptingDataConverter } from '../../edge/data-converter';
import type { PayloadKeys } from '../../edge/payload-keys';
import { workflowBundle } from '../../worker/bundle';
import { startMeridian } from '../e2e/meridian-process';
import { startTestEnvironment } from '../support/temporal';
import { BUNDLE_CACHE } from '../support/worker';
import { fakeActivities } from '../workflows/fake-activities';
import { clientWith, type EncryptedWorker, NAMESPACE, payloadsInClear, readableHistory, withEncryptedWorker } from './encrypted-cycles';
import { keyring, keyringJson } from './keyring';

const KEYS = keyring('2026-11', '2026-11');
const BUSINESS = 'Completeness "fuel_card" > 0.97';
const REASON = 'truck 4711 of the customer Nordwind has no fuel card';
/** Words that stand in the declaration, the report and the stage table: none of them may show. */
const READABLE = ['Completeness', 'fuel_card', REASON, 'Nordwind', 'vw_positions', 'zone_activity', 'manifest.json', 'intervalEnd'];
/** The server must read search attributes to search by them; of a local activity's marker the SDK encodes the result alone, `data` is its type, id and times. */
const IN_CLEAR = [
  '/markerRecordedEventAttributes/details/data/payloads',
  '/markerRecordedEventAttributes/details/patch-data/payloads',
  ...['MeridianInterval', 'MeridianJobRunId', 'MeridianOutcome', 'MeridianPipeline', 'MeridianStage', 'TemporalChangeVersion'].map(
    (name) => `/upsertWorkflowSearchAttributesEventAttributes/searchAttributes/indexedFields/${name}`,
  ),
];
let environment: TestWorkflowEnvironment;
let emptyHome: string;
let nights = 0;

beforeAll(async () => {
  environment = await startTestEnvironment();
  emptyHome = mkdtempSync(join(tmpdir(), 'meridian-no-stack-'));
}, 60_000);
afterAll(async () => {
  rmSync(emptyHome, { recursive: true });
  await environment.teardown();
});

/** A night of its own for each run. */
function nextInterval(): { readonly workflowId: string; readonly intervalEnd: string } {
  nights += 1;
  const intervalEnd = `2018-08-${String(nights).padStart(2, '0')}T00:00:00Z`;
  return { workflowId: cycleWorkflowId('mobile-geolocation', intervalEnd), intervalEnd };
}

async function startCycle({ client, taskQueue }: EncryptedWorker, workflowId: string, intervalEnd: string) {
  return client.workflow.start<(input: object) => Promise<CycleReport>>('etlCycle', {
    workflowId,
    taskQueue,
    args: [{ pipeline: 'mobile-geolocation', intervalEnd }],
    staticSummary: REASON,
    memo: { note: REASON },
  });
}

const rejecting: Partial<Activities> = {
  awaitQualityRun: async ({ step, runId }) => ({ runId, rules: [{ step, rule: BUSINESS, result: 'FAIL', message: REASON }], rowCount: 70 }),
};
const failing: Partial<Activities> = {
  awaitSparkJob: async () => {
    throw ApplicationFailure.create({ message: REASON, type: 'JobFailed', nonRetryable: true, cause: new Error(`caused by ${REASON}`), details: [{ REASON }] });
  },
};
const waiting: Partial<Activities> = {
  awaitSparkJob: async () => {
    for (;;) {
      Context.current().heartbeat({ note: REASON });
      await Context.current().sleep(50);
    }
  },
};

/** The words of READABLE that stand in what the server keeps. */
async function shown(workflowId: string): Promise<readonly string[]> {
  const history = await readableHistory(environment, workflowId);
  return READABLE.filter((word) => history.includes(word));
}

test('a rejected night: report and stage table are read with the key, the history shows nothing of them (X9)', async () => {
  const { workflowId, intervalEnd } = nextInterval();
  const { activities } = fakeActivities(rejecting);

  const { report, progress } = await withEncryptedWorker(environment, KEYS, activities, async (worker) => {
    const handle = await startCycle(worker, workflowId, intervalEnd);
    return { report: await handle.result(), progress: await handle.query<CycleProgress>('progress') };
  });

  expect(report).toMatchObject({ outcome: 'rejected', reason: expect.stringContaining(REASON) as unknown });
  expect(JSON.stringify(progress.stages)).toContain('fuel_card');
  expect(await shown(workflowId)).toEqual([]);
  expect(await payloadsInClear(environment, workflowId)).toEqual(IN_CLEAR);
});

test('a failing activity and a cancelled one: messages, causes, details and heartbeats are encrypted, and read with the key', async () => {
  const failed = nextInterval();
  const cancelled = nextInterval();

  const error = await withEncryptedWorker(environment, KEYS, fakeActivities(failing).activities, async (worker) => {
    const handle = await startCycle(worker, failed.workflowId, failed.intervalEnd);
    return handle.result().catch((each: unknown) => each);
  });
  await withEncryptedWorker(environment, KEYS, fakeActivities(waiting).activities, async (worker) => {
    const handle = await startCycle(worker, cancelled.workflowId, cancelled.intervalEnd);
    while (((await handle.describe()).raw.pendingActivities ?? []).every((each) => !each.heartbeatDetails?.payloads?.length)) await new Promise((next) => setTimeout(next, 50));
    const { raw } = await handle.describe();
    expect(READABLE.filter((word) => Buffer.from(raw.pendingActivities?.[0]?.heartbeatDetails?.payloads?.[0]?.data ?? []).includes(word))).toEqual([]);
    await handle.cancel();
    await handle.result().catch(() => undefined);
  });

  expect(error).toBeInstanceOf(WorkflowFailedError);
  expect(causes(error)).toEqual(expect.arrayContaining([REASON, `caused by ${REASON}`]));
  expect(await shown(failed.workflowId)).toEqual([]);
  expect(await shown(cancelled.workflowId)).toEqual([]);
  expect((await readableHistory(environment, failed.workflowId)).includes('Encoded failure')).toBe(true);
});

test('the same nights without keys show every one of these words: the search can find them', async () => {
  const found = new Set<string>();
  for (const overrides of [rejecting, failing]) {
    const { workflowId, intervalEnd } = nextInterval();
    await withEncryptedWorker(environment, undefined, fakeActivities(overrides).activities, async (worker) => {
      await (await startCycle(worker, workflowId, intervalEnd)).result().catch(() => undefined);
    });
    for (const word of await shown(workflowId)) found.add(word);
  }

  expect(READABLE.filter((word) => !found.has(word))).toEqual([]);
});

test('a key is rotated while a cycle runs: the steps of docs/security.md, and both keys are in its history', async () => {
  const { workflowId, intervalEnd } = nextInterval();
  const both = (active: string) => keyring(active, '2026-11', '2026-12');
  const taskQueue = 'rotation';
  const held = { release: () => undefined as void };
  const gate = new Promise<void>((release) => {
    held.release = release;
  });
  const start = async (keys: PayloadKeys, overrides: Partial<Activities>, use: (worker: EncryptedWorker) => Promise<void>) =>
    withEncryptedWorker(environment, keys, fakeActivities(overrides).activities, use, taskQueue);

  // 1. before: one key
  await start(keyring('2026-11', '2026-11'), { awaitSparkJob: async () => { held.release(); throw new Error('not yet'); } }, async (worker) => {
    await startCycle(worker, workflowId, intervalEnd);
    await gate;
  });
  // 2. every reader knows the new key, and the old one still encrypts; 3. the new one encrypts
  await start(both('2026-11'), { awaitSparkJob: async () => { throw new Error('not yet'); } }, async () => undefined);
  await start(both('2026-12'), rejecting, async ({ client }) => {
    expect(await client.workflow.getHandle(workflowId).result()).toMatchObject({ outcome: 'rejected' });
  });

  const history = await readableHistory(environment, workflowId);
  expect(['2026-10', '2026-11', '2026-12'].filter((id) => history.includes(id))).toEqual(['2026-11', '2026-12']);
  expect(await shown(workflowId)).toEqual([]);
  // 4. the old key is taken away too early: whoever reads is told which one is missing
  await expect(clientWith(environment, keyring('2026-12', '2026-12')).workflow.getHandle(workflowId).describe()).rejects.toThrow(/key "2026-11", .*\(2026-12\): add it/);
  await expect(replay(workflowId, keyring('2026-12', '2026-12'))).rejects.toThrow(/Encoded failure/);
  await expect(replay(workflowId, both('2026-12'))).resolves.toBeUndefined();
});

test('an encrypted history replays with its key, and not without (X7)', async () => {
  const { workflowId, intervalEnd } = nextInterval();
  await withEncryptedWorker(environment, KEYS, fakeActivities().activities, async (worker) => {
    await (await startCycle(worker, workflowId, intervalEnd)).result();
  });

  const env = { ...process.env, MERIDIAN_HOME: emptyHome, TEMPORAL_ADDRESS: environment.address };
  const gate = (keys: object) => startMeridian(['replay', '--namespace', '--query', `WorkflowId = '${workflowId}'`, '--strict-inputs'], { ...env, ...keys }).finished;
  const [withKeys, without] = [await gate({ MERIDIAN_PAYLOAD_KEYS: keyringJson(KEYS) }), await gate({})];

  expect(withKeys).toMatchObject({ code: 0, stdout: expect.stringMatching(/1 histories: 1 replayed, .*, 0 with other inputs/) as string });
  expect(without).toMatchObject({ code: 1, stdout: expect.stringMatching(/key "2026-11", which is not among the configured keys \(none\)(.|\n)* 1 broken/) as string });
  for (const word of READABLE) expect(withKeys.stdout + without.stdout).not.toContain(word);
});

test('`meridian run` follows an encrypted cycle by the same configuration: stages, retries, heartbeats and report', async () => {
  const { workflowId, intervalEnd } = nextInterval();
  let attempts = 0;
  const { activities } = fakeActivities({
    ...rejecting,
    awaitSparkJob: async () => {
      attempts += 1;
      if (attempts === 1) throw new Error(REASON);
      for (let done = 1; done <= 20; done++) {
        Context.current().heartbeat({ done, total: 20, unit: 'steps of Nordwind' });
        await Context.current().sleep(100);
      }
      return { jobRunId: 'jr-1', vCpuHours: 0.1, memoryGbHours: 0.4, storageGbHours: 1 };
    },
  });

  const [withKeys, inClear, without] = await withEncryptedWorker(environment, KEYS, activities, async ({ taskQueue }) => {
    const env = { ...process.env, MERIDIAN_HOME: emptyHome, MERIDIAN_TASK_QUEUE: taskQueue, TEMPORAL_ADDRESS: environment.address };
    const run = (keys: object) => startMeridian(['run', 'mobile-geolocation', '--interval-end', intervalEnd, '--json'], { ...env, ...keys }).finished;
    const first = await run({ MERIDIAN_PAYLOAD_KEYS: keyringJson(KEYS) });
    return [first, await shown(workflowId), await run({})];
  });

  expect(withKeys).toMatchObject({ code: 1 }); // rejected
  expect(JSON.parse(withKeys.stdout)).toMatchObject({ outcome: 'rejected', reason: expect.stringContaining(REASON) as unknown });
  expect(withKeys.stderr).toMatch(new RegExp(`attempt 2: .*${REASON}`));
  expect(withKeys.stderr).toMatch(/of 20 steps of Nordwind/);
  // A start in clear on a namespace with encryption works, its report does not show.
  expect(without.code).toBe(1);
  expect(without.stderr).toMatch(/key "2026-11", which is not among the configured keys \(none\): add it to MERIDIAN_PAYLOAD_KEYS/);
  expect(without.stdout).toBe('');
  expect(inClear).toEqual([]);
});

async function replay(workflowId: string, keys: PayloadKeys | undefined): Promise<void> {
  const dataConverter = encryptingDataConverter(keys, NAMESPACE);
  const history = await environment.client.workflow.getHandle(workflowId).fetchHistory();
  await Worker.runReplayHistory({ workflowBundle: await workflowBundle(BUNDLE_CACHE, dataConverter), dataConverter }, history, workflowId);
}

/** The messages from the outermost error to its root. */
function causes(error: unknown): readonly string[] {
  return error instanceof Error ? [error.message, ...causes(error.cause)] : [];
}
