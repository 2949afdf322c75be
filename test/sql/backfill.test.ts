import { S3Client } from '@aws-sdk/client-s3';
import { createBackfillActivities } from '../../activities/backfills';
import type { CycleOutcome, CyclePriority } from '../../domain/cycle';
import { intervalEndingAt } from '../../domain/calendar';
import { FailureType } from '../../domain/failure-type';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { createTestDatabase, type TestDatabase } from '../support/postgres';
import { activityEnvironment, createActivities, nightEnding, openNight, run, spec } from './fixture';

let test: TestDatabase;
let activities: ReturnType<typeof createActivities>;
let backfills: ReturnType<typeof createBackfillActivities>;
/** Run ids, or workflow ids where only the newest execution counts. */
const closed = new Set<string>();

beforeAll(async () => {
  test = await createTestDatabase();
  activities = createActivities(test, new S3Client({ region: 'none' }), async (...execution: readonly string[]) => closed.has(execution[1] ?? ''));
  backfills = createBackfillActivities({ db: test.db, isExecutionClosed: async (workflowId) => closed.has(workflowId) });
});
afterAll(() => test.stop());

/** A pipeline of a dataset of its own, so that tests do not wait for each other's turn. */
const ofDataset = (dataset: string): PipelineSpec => ({ ...spec, name: dataset.replaceAll('_', '-'), dataset });

async function open(of: PipelineSpec, day: number, runId: string, priority?: CyclePriority) {
  const self = { workflowId: `w-${of.name}-${day}`, runId };
  const { start, end } = intervalEndingAt(nightEnding(day), { intervalHours: 24 });
  const input = { spec: of, intervalStart: start, intervalEnd: end, ...self };
  const { cycle } = await run(activities.openCycle, { ...input, ...(priority === undefined ? {} : { priority }) });
  return { cycle, ...self };
}

const close = ({ cycle }: Awaited<ReturnType<typeof open>>, outcome: CycleOutcome) => run(activities.closeCycle, { cycle, outcome, detail: '', counts: {} });

describe('the turn, for a cycle of low priority', () => {
  it('is left to one of normal priority that waits, however much later that came (X8)', async () => {
    const own = ofDataset('turn_low');
    const holder = await openNight(activities, nightEnding(1), own);
    const low = await open(own, 2, 'low', 'low');
    const taken: string[] = [];
    const lowTurn = run(activities.takeTurn, low).then((turn) => (taken.push('low'), turn));
    const nightly = await open(own, 3, 'nightly');

    await run(activities.releaseTurn, holder);
    await close({ ...holder, cycle: holder.cycle }, 'empty');
    const first = await run(activities.takeTurn, nightly);
    taken.push('nightly');
    await close(nightly, 'empty');
    await run(activities.releaseTurn, { ...nightly, epoch: first.epoch });
    const second = await lowTurn;

    expect(taken).toEqual(['nightly', 'low']);
    expect(second.epoch).toBe(first.epoch + 1);
  });

  it('is taken when the one that waited ended without closing: its open record holds nobody up (I7)', async () => {
    const own = ofDataset('turn_low_dead');
    const dead = await open(own, 1, 'dead-waiter');
    const low = await open(own, 2, 'low', 'low');
    await expect(run(activities.takeTurn, { ...low, waitSeconds: 0.3 })).rejects.toMatchObject({
      type: FailureType.TurnTimeout,
      message: expect.stringContaining(`left to ${dead.workflowId}`) as string,
    });
    closed.add('dead-waiter');

    const taken = await run(activities.takeTurn, low);

    expect(taken).toEqual({ epoch: 1, unsettled: { cycle: dead.cycle, promoted: false, jobs: [] } });
  });

  it('is taken after a while from one that waits and never takes it, the while counted over attempts (I8)', async () => {
    const own = ofDataset('turn_low_stuck');
    await open(own, 1, 'stuck-waiter');
    const low = await open(own, 2, 'low', 'low');
    const heartbeats: unknown[] = [];
    const environment = activityEnvironment();
    environment.on('heartbeat', (details) => heartbeats.push(details));
    await expect(run(activities.takeTurn, { ...low, waitSeconds: 0.5 }, environment)).rejects.toMatchObject({ type: FailureType.TurnTimeout });

    const again = activityEnvironment({ heartbeatDetails: heartbeats.at(-1) });
    const taken = await run(activities.takeTurn, { ...low, waitSeconds: 60, yieldSeconds: 0.4 }, again);

    expect(taken).toEqual({ epoch: 1 });
  });

  it('stays with the one that has it, and goes by no priority among those of low priority', async () => {
    const own = ofDataset('turn_low_held');
    const low = await open(own, 1, 'low', 'low');
    const other = await open(own, 2, 'other', 'low');
    const { epoch } = await run(activities.takeTurn, low);
    await open(own, 3, 'nightly');

    expect(await run(activities.takeTurn, low)).toEqual({ epoch });
    await expect(run(activities.takeTurn, { ...other, waitSeconds: 0.3 })).rejects.toMatchObject({ message: expect.stringContaining(`which ${low.workflowId}`) as string });
  });
});

describe('the plan of a backfill', () => {
  const own = ofDataset('planned');
  const plan = (of: PipelineSpec, from: number, to: number, all = false) =>
    run(backfills.planBackfill, { spec: of, from: nightEnding(from), to: nightEnding(to), all, at: '2018-08-20T00:00:00Z' });

  beforeAll(async () => {
    const states: Readonly<Record<number, readonly (CycleOutcome | 'open')[]>> = {
      2: ['promoted'], 3: ['failed'], 4: ['empty', 'failed'], 5: ['rejected', 'failed'], 6: ['failed', 'open'], 7: ['cancelled'], 8: ['promoted', 'open'], 9: ['blocked'], 11: ['promoted'],
    };
    for (const [day, outcomes] of Object.entries(states)) {
      for (const [generation, outcome] of outcomes.entries()) {
        const opened = await open(own, Number(day), `planned-${day}-${generation}`);
        if (outcome !== 'open') await close(opened, outcome);
      }
    }
  });

  it('has the gaps, oldest first, and what is rejected apart (X8)', async () => {
    const { due, dueCount, states, needDecision, medianMs } = await plan(own, 1, 11);

    expect(due.map(({ end }) => end)).toEqual([3, 6, 7, 9, 10].map(nightEnding));
    expect(due[0]).toEqual({ start: nightEnding(2), end: nightEnding(3) });
    expect(dueCount).toBe(5);
    expect(states).toEqual({ promoted: 3, empty: 1, rejected: 1, running: 1, failed: 1, cancelled: 1, blocked: 1, missing: 1 });
    expect(needDecision).toEqual({ count: 1, first: [nightEnding(5)] });
    expect(medianMs).toBeGreaterThan(0);
  });

  it('has every interval with `all`, and no more than the range', async () => {
    const { due, needDecision } = await plan(own, 3, 6, true);

    expect(due.map(({ end }) => end)).toEqual([4, 5, 6].map(nightEnding));
    expect(needDecision.count).toBe(0);
  });

  it('has everything of a pipeline that never ran, and no duration', async () => {
    expect(await plan(ofDataset('never_ran'), 1, 3)).toEqual({
      due: [{ start: nightEnding(1), end: nightEnding(2) }, { start: nightEnding(2), end: nightEnding(3) }],
      dueCount: 2,
      states: { missing: 2 },
      needDecision: { count: 0, first: [] },
    });
  });

  it('has a page of 400 of a long range', async () => {
    const { due, dueCount } = await run(backfills.planBackfill, { spec: own, from: '2010-01-01T00:00:00Z', to: '2012-01-01T00:00:00Z', all: false, at: '2018-08-20T00:00:00Z' });

    expect([due.length, dueCount, due.at(-1)?.end]).toEqual([400, 730, '2011-02-05T00:00:00Z']);
  });

  it('refuses a range that has not closed, by name', async () => {
    await expect(plan(own, 18, 21)).rejects.toMatchObject({ type: FailureType.InvalidInterval, message: expect.stringContaining('2018-08-21T00:00:00Z has not come yet') as string });
  });

  it('waits for an execution that somebody else started, and then says what the record does', async () => {
    const interval = { start: nightEnding(5), end: nightEnding(6) };
    const input = { workflowId: 'somebody-elses', pipeline: own.name, interval };
    const ended = run(backfills.awaitCycleEnd, input);
    const late = await run(backfills.awaitCycleEnd, { ...input, waitSeconds: 0.3 });
    closed.add('somebody-elses');

    expect(late).toEqual({ state: 'running' });
    expect(await ended).toEqual(await run(backfills.readInterval, input));
  });
});
