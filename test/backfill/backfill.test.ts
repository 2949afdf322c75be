import { setTimeout as sleep } from 'node:timers/promises';
import { DeleteItemCommand, paginateScan } from '@aws-sdk/client-dynamodb';
import { type WorkflowFailedError } from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { type BackfillInput, backfillWorkflowId } from '../../domain/backfill';
import type { BackfillProgress } from '../../domain/backfill-progress';
import { cycleWorkflowId } from '../../domain/cycle';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { backfill } from '../../workflows';
import { audit } from '../faults/audit/audit';
import type { ExpectedOutcome } from '../faults/audit/subject';
import { Lab } from '../faults/lab';
import { faultPipeline } from '../faults/pipeline';
import { nightEnd, rawNight, type RawUpload } from '../faults/raw-night';
import { BUNDLE_CACHE } from '../support/worker';

const LIMIT_MS = 5 * 60_000;
const SEED = 3;
const beside = faultPipeline('bf-beside');
const same = faultPipeline('bf-same');
const stopped = faultPipeline('bf-stopped');
const expired = faultPipeline('bf-expired');
let lab: Lab;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  lab = await Lab.start([beside, same, stopped, expired]);
}, LIMIT_MS);
afterAll(() => lab?.stop(), LIMIT_MS);

/** The raw objects of some nights, each knowing those before it. */
function rawNights(spec: PipelineSpec, indexes: readonly number[]): ReadonlyMap<number, readonly RawUpload[]> {
  const uploads = new Map<number, readonly RawUpload[]>();
  for (const index of indexes) uploads.set(index, rawNight(spec.name, index, SEED, [...uploads.values()].flat()));
  return uploads;
}

/** Of the nights after `from` up to `to`. */
function startBackfill(spec: PipelineSpec, from: number, to: number, more: Partial<BackfillInput> = {}) {
  return lab.access.temporal.workflow.start<typeof backfill>('backfill', {
    workflowId: backfillWorkflowId(spec.name),
    taskQueue: 'meridian',
    args: [{ pipeline: spec.name, from: nightEnd(from), to: nightEnd(to), ...more }],
  });
}

/** All generations of a pipeline, in the order in which they had the turn. */
async function turnsOf(spec: PipelineSpec): Promise<readonly { readonly night: string; readonly epoch: number; readonly outcome: string; readonly low: boolean }[]> {
  const { rows } = await lab.access.pool.query<{ night: string; epoch: number; outcome: string; low: boolean }>(
    `select to_char(interval_end at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as night, epoch::integer, outcome, low_priority as low
       from meridian.cycle where pipeline = $1 order by epoch, opened_at`,
    [spec.name],
  );
  return rows;
}

async function untilRows(statement: string, spec: PipelineSpec): Promise<void> {
  while ((await lab.access.pool.query(statement, [spec.name])).rowCount === 0) await sleep(30);
}

async function auditNights(spec: PipelineSpec, uploads: ReadonlyMap<number, readonly RawUpload[]>, expected: ExpectedOutcome, killed = false) {
  return audit({
    spec,
    access: lab.access,
    nights: [...uploads].map(([index, raw]) => ({ intervalEnd: nightEnd(index), workflowId: cycleWorkflowId(spec.name, nightEnd(index)), expected, uploads: raw })),
    outcomes: await lab.outcomes.drain(),
    workers: { workDirs: lab.workers.workDirs, running: true, killed },
    bundleDir: BUNDLE_CACHE,
  });
}

test(
  'a nightly that starts during a backfill has the next turn, before a cycle of the backfill that waits longer; none is lost or doubled, though the worker is killed (I1–I9, X8)',
  async () => {
    // Night 8 is beyond the lateness of the others: it takes none of their objects.
    const uploads = rawNights(beside, [1, 2, 3, 8]);
    await lab.upload([...uploads.values()].flat());
    await lab.script(beside, 1, { transform: { seconds: 2 } });
    const handle = await startBackfill(beside, 0, 3, { concurrency: 2 });
    await untilRows(`select from meridian.job where pipeline = $1 and step = 'transform' and external_id is not null`, beside);
    await untilRows(`select from meridian.cycle where pipeline = $1 and interval_end = '2024-01-03T00:00:00Z'`, beside);
    const nightly = await lab.startNight(beside, 8);
    await untilRows(`select from meridian.cycle where pipeline = $1 and not low_priority and epoch is null`, beside);
    await lab.workers.kill();

    const report = await handle.result();

    expect((await nightly.result()).outcome).toBe('promoted');
    expect(report).toMatchObject({ state: 'done', total: 3, outcomes: { promoted: 3 }, notLoaded: [] });
    expect((await turnsOf(beside)).map(({ night, low }) => [night, low])).toEqual([[nightEnd(1), true], [nightEnd(8), false], [nightEnd(2), true], [nightEnd(3), true]]);
    await lab.workers.settle();
    const { violations, counts } = await auditNights(beside, uploads, 'promoted', true);
    expect(violations).toEqual([]);
    expect(counts).toMatchObject({ lost: 0, duplicated: 0, promotions: 4, generations: 4, jobsPerTokenMax: 1 });
  },
  LIMIT_MS,
);

test(
  'a nightly and a backfill of the same interval exclude each other, whoever is first: the record is loaded once (I1, I2)',
  async () => {
    const uploads = rawNights(same, [1, 2, 3]);
    for (const index of [1, 2]) await lab.upload(uploads.get(index) ?? []);
    await lab.script(same, 1, { transform: { seconds: 1 } });
    const nightly = await lab.startNight(same, 1);
    await untilRows(`select from meridian.turn where dataset = replace($1, '-', '_') and holder_run_id is not null`, same);
    const handle = await startBackfill(same, 0, 3);
    const progress = () => handle.query<BackfillProgress, []>('backfillProgress');
    while ((await progress()).running[0]?.another !== true) await sleep(30);

    expect((await progress()).running).toEqual([expect.objectContaining({ workflowId: nightly.workflowId })]);
    await lab.upload(uploads.get(3) ?? []);
    await untilRows(`select from meridian.cycle where pipeline = $1 and interval_end = '2024-01-03T00:00:00Z'`, same);
    await expect(lab.startNight(same, 2)).rejects.toThrow('Workflow execution already started');
    const report = await handle.result();

    expect(report).toMatchObject({ state: 'done', total: 3, outcomes: { promoted: 3 } });
    expect((await turnsOf(same)).map(({ night, low, outcome }) => [night, low, outcome])).toEqual([1, 2, 3].map((index) => [nightEnd(index), index > 1, 'promoted']));
    const { violations, counts } = await auditNights(same, uploads, 'promoted');
    expect(violations).toEqual([]);
    expect(counts).toMatchObject({ lost: 0, duplicated: 0, generations: 3 });
  },
  LIMIT_MS,
);

test(
  'a cancelled backfill has ended its job and voided its cycle; started again it loads what was left, and once more it has nothing to do (I1, I2, I7, X8)',
  async () => {
    const uploads = rawNights(stopped, [1, 2]);
    await lab.upload([...uploads.values()].flat());
    await lab.script(stopped, 1, { transform: { seconds: 60 } });
    const handle = await startBackfill(stopped, 0, 2);
    await untilRows(`select from meridian.job where pipeline = $1 and step = 'transform' and external_id is not null`, stopped);
    await handle.cancel();
    const error: unknown = await handle.result().catch((failure: unknown) => failure);

    expect((error as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure);
    expect((await turnsOf(stopped)).map(({ night, outcome }) => [night, outcome])).toEqual([[nightEnd(1), 'cancelled']]);
    await lab.script(stopped, 1, {});
    expect(await (await startBackfill(stopped, 0, 2)).result()).toMatchObject({ total: 2, outcomes: { promoted: 2 } });
    expect(await (await startBackfill(stopped, 0, 2)).result()).toMatchObject({ state: 'done', total: 0 });
    const { violations, counts } = await auditNights(stopped, uploads, 'promoted');
    expect(violations).toEqual([]);
    expect(counts).toMatchObject({ lost: 0, duplicated: 0, generations: 3, promotions: 2 });
  },
  LIMIT_MS,
);

test(
  'a backfill weeks later, when DynamoDB has deleted the log and the segments of its dates, stores no record a second time (I2, S2.34)',
  async () => {
    const uploads = rawNights(expired, [1, 2, 3]);
    for (const index of [1, 3]) {
      await lab.upload(uploads.get(index) ?? []);
      expect(await lab.ended(await lab.startNight(expired, index), LIMIT_MS)).toMatchObject({ outcome: 'promoted' });
    }
    // Night 2 never ran; its gateway sends now, and repeats what night 1 brought.
    await lab.upload(uploads.get(2) ?? []);
    expect(await deleteExpired(expired)).toBeGreaterThan(2);
    await lab.workers.restart(); // with no segment in its cache

    const report = await (await startBackfill(expired, 0, 3)).result();

    expect(report).toMatchObject({ total: 1, outcomes: { promoted: 1 } });
    const { rows } = await lab.access.pool.query<{ duplicates: number }>(
      `select (counts->'records'->>'duplicates')::integer as duplicates from meridian.cycle where pipeline = $1 and interval_end = $2`,
      [expired.name, nightEnd(2)],
    );
    expect(rows[0]?.duplicates).toBeGreaterThan(0);
    const { violations, counts } = await auditNights(expired, uploads, 'promoted');
    // What was deleted is missing from the log, and so are its fingerprints; nothing else may be wrong.
    expect(violations.filter(({ message }) => !/is live, but the commit log of .* does not count it/.test(message))).toEqual([]);
    expect(counts).toMatchObject({ lost: 0, duplicated: 0 });
  },
  LIMIT_MS,
);

/** Deletes every log entry and segment of the dataset, as their TTL would have done. */
async function deleteExpired(spec: PipelineSpec): Promise<number> {
  const { dynamodb, names } = lab.access;
  const dates = new RegExp(`^${spec.dataset}#\\d{4}-\\d{2}-\\d{2}$`);
  let deleted = 0;
  for await (const { Items = [] } of paginateScan({ client: dynamodb }, { TableName: names.ledgerTable, ConsistentRead: true })) {
    for (const { pk, sk } of Items) {
      if (pk?.S === undefined || sk === undefined || !dates.test(pk.S)) continue;
      await dynamodb.send(new DeleteItemCommand({ TableName: names.ledgerTable, Key: { pk, sk } }));
      deleted += 1;
    }
  }
  return deleted;
}
