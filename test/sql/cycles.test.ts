import { S3Client } from '@aws-sdk/client-s3';
import { FailureType } from '../../domain/failure-type';
import { listCycles } from '../../sql/queries/cycles';
import { claimNotification, confirmNotification } from '../../sql/queries/notifications';
import { ensureTurn, freeTurn, readTurn, swapTurn } from '../../sql/queries/turns';
import { createTestDatabase, type TestDatabase } from '../support/postgres';
import { activityEnvironment, createActivities, nightEnding, openNight, run, spec } from './fixture';

let test: TestDatabase;
const closed = new Set<string>();
let activities: ReturnType<typeof createActivities>;

beforeAll(async () => {
  test = await createTestDatabase();
  activities = createActivities(test, new S3Client({ region: 'none' }), async (...execution: readonly string[]) => closed.has(execution[1] ?? ''));
});
afterAll(() => test.stop());

const dayOf = (end: string) => ({ spec, intervalStart: '2018-07-31T00:00:00Z', intervalEnd: end, workflowId: `etl/places-${end}` });
/** A pipeline of a dataset of its own, so that tests do not wait for each other's turn. */
const ofDataset = (dataset: string) => ({ ...spec, name: dataset.replaceAll('_', '-'), dataset });

describe('the cycle record', () => {
  it('gives a retry of one run the same generation, and each other run the next one (I5)', async () => {
    const input = { ...dayOf(nightEnding(1)), runId: 'run-a' };

    const first = await run(activities.openCycle, input);
    const retried = await run(activities.openCycle, input);
    const again = await run(activities.openCycle, { ...input, runId: 'run-b' });

    expect(first.cycle).toEqual({
      pipeline: 'places',
      dataset: 'places',
      intervalStart: '2018-07-31T00:00:00Z',
      intervalEnd: '2018-08-01T00:00:00Z',
      generation: 1,
    });
    expect(retried.cycle).toEqual(first.cycle);
    expect(again.cycle.generation).toBe(2);
  });

  it('numbers ten runs that open the same cycle at once 1 to 10, without a gap', async () => {
    const runs = Array.from({ length: 10 }, (_, n) => run(activities.openCycle, { ...dayOf(nightEnding(2)), runId: `at-once-${n}` }));

    const generations = (await Promise.all(runs)).map(({ cycle }) => cycle.generation);

    expect(generations.sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('hands a new generation the older ones\' jobs that may be alive, and only those (X1, I5)', async () => {
    const { cycle } = await run(activities.openCycle, { ...dayOf(nightEnding(3)), runId: 'older' });
    const token = (step: string) => ({ cycle, step, kind: 'emr' as const, clientToken: `token-${step}`, parametersHash: 'p' });
    await run(activities.recordJob, token('transform'));
    await run(activities.recordJob, token('check-added'));
    await run(activities.recordJob, token('lost'));
    await run(activities.recordJobState, { clientToken: 'token-transform', externalId: 'job-1', state: 'RUNNING' });
    await run(activities.recordJobState, { clientToken: 'token-check-added', externalId: 'job-2', state: 'SUCCEEDED' });

    const { cycle: newer, olderJobs } = await run(activities.openCycle, { ...dayOf(nightEnding(3)), runId: 'newer' });

    expect(olderJobs).toEqual([
      { kind: 'emr', step: 'transform', clientToken: 'token-transform', externalId: 'job-1', state: 'RUNNING' },
      { kind: 'emr', step: 'lost', clientToken: 'token-lost', state: 'RECORDED' },
    ]);
    expect(await run(activities.openJobs, { cycle: newer })).toEqual([]);
    expect(await run(activities.openJobs, { cycle })).toHaveLength(2);
  });

  it('keeps the first record of a token, and a terminal state whatever a late poll says (X1)', async () => {
    const { cycle } = await run(activities.openCycle, { ...dayOf(nightEnding(4)), runId: 'jobs' });
    const job = { cycle, step: 'transform', kind: 'emr' as const, clientToken: 'token-once' };

    await run(activities.recordJob, { ...job, parametersHash: 'first' });
    await run(activities.recordJobState, { clientToken: 'token-once', externalId: 'job-9', state: 'CANCELLED' });
    await run(activities.recordJobState, { clientToken: 'token-once', state: 'RUNNING' });

    expect(await run(activities.recordJob, { ...job, parametersHash: 'second' })).toEqual({
      kind: 'emr',
      step: 'transform',
      clientToken: 'token-once',
      externalId: 'job-9',
      state: 'CANCELLED',
      parametersHash: 'first',
    });
    await expect(run(activities.recordJobState, { clientToken: 'never-recorded', state: 'RUNNING' })).rejects.toMatchObject({
      type: FailureType.Misconfigured,
      nonRetryable: true,
    });
  });

  it('closes with the first outcome, and keeps the counts of every stage', async () => {
    const { cycle } = await run(activities.openCycle, { ...dayOf(nightEnding(5)), runId: 'closing' });

    await run(activities.recordCounts, { cycle, counts: { dedup: { read: 5 } } });
    await run(activities.closeCycle, { cycle, outcome: 'rejected', detail: 'RowCount > 0', counts: { objects: 3 } });
    await run(activities.closeCycle, { cycle, outcome: 'failed', detail: 'too late', counts: { objects: 4 } });

    const [record] = await listCycles(test.db, { pipeline: 'places', intervalEnd: nightEnding(5) });
    expect(record).toMatchObject({ cycle, outcome: 'rejected', detail: 'RowCount > 0', counts: { dedup: { read: 5 }, objects: 3 } });
  });

  it('lets an outcome be told until a telling is confirmed, and never after (I9)', async () => {
    const claims = [await claimNotification(test.db, 'one'), await claimNotification(test.db, 'one')];
    await confirmNotification(test.db, 'one');
    claims.push(await claimNotification(test.db, 'one'), await claimNotification(test.db, 'other'));

    expect(claims).toEqual([true, true, false, true]);
  });
});

describe('the turn of a dataset', () => {
  it('goes to one of two cycles, and to the other when it is freed, with a higher epoch', async () => {
    const own = ofDataset('turn_two');
    const first = await openNight(activities, nightEnding(1), own);
    const second = openNight(activities, nightEnding(2), own);

    await run(activities.closeCycle, { cycle: first.cycle, outcome: 'empty', detail: '', counts: {} });
    await run(activities.releaseTurn, first);

    expect((await second).epoch).toBe(first.epoch + 1);
  });

  it('gives its holder the same epoch again', async () => {
    const held = await openNight(activities, nightEnding(1), ofDataset('turn_again'));

    const again = await run(activities.takeTurn, held);

    expect(again).toEqual({ epoch: held.epoch });
  });

  it('is taken from a holder whose execution is closed, with what it left unsettled and the jobs of it (I7)', async () => {
    const own = ofDataset('turn_dead');
    const dead = await openNight(activities, nightEnding(1), own);
    await run(activities.recordJob, { cycle: dead.cycle, step: 'transform', kind: 'emr', clientToken: 'token-dead', parametersHash: 'p' });
    const input = { spec: own, intervalStart: nightEnding(1), intervalEnd: nightEnding(2), workflowId: 'w', runId: 'heir' };
    const { cycle } = await run(activities.openCycle, input);
    await expect(run(activities.takeTurn, { cycle, ...input, waitSeconds: 0.3 })).rejects.toMatchObject({ type: FailureType.TurnTimeout });
    closed.add(dead.runId);

    const taken = await run(activities.takeTurn, { cycle, ...input, waitSeconds: 5 });

    expect(taken).toEqual({
      epoch: dead.epoch + 1,
      unsettled: {
        cycle: dead.cycle,
        promoted: false,
        jobs: [{ kind: 'emr', step: 'transform', clientToken: 'token-dead', state: 'RECORDED' }],
      },
    });
  });

  it('names every cycle that was left unsettled, one a call, oldest first, until all are closed (I7)', async () => {
    const own = ofDataset('turn_many');
    const first = await openNight(activities, nightEnding(1), own);
    closed.add(first.runId);
    const second = await openNight(activities, nightEnding(2), own);
    closed.add(second.runId);
    const heir = await openNight(activities, nightEnding(3), own);

    const found = [];
    for (;;) {
      const { unsettled } = await run(activities.takeTurn, heir);
      if (unsettled === undefined) break;
      found.push(unsettled.cycle.intervalEnd);
      await run(activities.closeCycle, { cycle: unsettled.cycle, outcome: 'failed', detail: '', counts: {} });
    }

    expect(found).toEqual([nightEnding(1), nightEnding(2)]);
  });

  it('names a cycle whose execution ended while it waited for the turn, and leaves alone those that still wait (I7)', async () => {
    const own = ofDataset('turn_waited');
    const waiter = (day: number, runId: string) =>
      run(activities.openCycle, { spec: own, intervalStart: nightEnding(day - 1), intervalEnd: nightEnding(day), workflowId: `w${day}`, runId });
    const { cycle: terminated } = await waiter(2, 'terminated-waiter');
    await waiter(3, 'living-waiter');
    closed.add('terminated-waiter');

    const holder = await openNight(activities, nightEnding(4), own);
    const { unsettled } = await run(activities.takeTurn, holder);
    await run(activities.closeCycle, { cycle: terminated, outcome: 'failed', detail: '', counts: {} });
    const settled = await run(activities.takeTurn, holder);

    expect(unsettled).toEqual({ cycle: terminated, promoted: false, jobs: [] });
    expect(settled).toEqual({ epoch: holder.epoch });
  });

  it('is not freed by a former holder', async () => {
    const own = ofDataset('turn_former');
    const former = await openNight(activities, nightEnding(1), own);
    closed.add(former.runId);
    const holder = await openNight(activities, nightEnding(2), own);

    await run(activities.releaseTurn, former);

    expect(await run(activities.takeTurn, holder)).toMatchObject({ epoch: holder.epoch });
  });

  it('goes to exactly one of eight cycles that find it free at once', async () => {
    const own = ofDataset('turn_rush');
    const nights = await Promise.all(
      Array.from({ length: 8 }, async (_, n) => {
        const self = { workflowId: `w${n}`, runId: `rush-${n}` };
        const { cycle } = await run(activities.openCycle, { spec: own, intervalStart: nightEnding(n + 1), intervalEnd: nightEnding(n + 2), ...self });
        return { cycle, ...self };
      }),
    );

    const taken = await Promise.allSettled(nights.map((night) => run(activities.takeTurn, { ...night, waitSeconds: 0.5 })));

    expect(taken.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
  });

  it('is not taken by one who saw it free before another took and freed it: no epoch is given twice (I6)', async () => {
    const dataset = 'turn_seen_before';
    await ensureTurn(test.db, dataset);
    const seen = { dataset, epoch: 0, holder: undefined };
    const quicker = await swapTurn(test.db, seen, { workflowId: 'quicker', runId: 'quicker' });
    await freeTurn(test.db, dataset, 1);

    const late = await swapTurn(test.db, seen, { workflowId: 'late', runId: 'late' });

    expect([quicker, late]).toEqual([1, undefined]);
    expect(await readTurn(test.db, dataset)).toEqual({ dataset, epoch: 1, holder: undefined });
  });

  it('stops waiting when the activity is cancelled', async () => {
    const own = ofDataset('turn_cancelled');
    await openNight(activities, nightEnding(1), own);
    const self = { workflowId: 'w', runId: 'cancelled' };
    const { cycle } = await run(activities.openCycle, { spec: own, intervalStart: nightEnding(1), intervalEnd: nightEnding(2), ...self });
    const environment = activityEnvironment();
    environment.on('heartbeat', () => environment.cancel());

    await expect(run(activities.takeTurn, { cycle, ...self }, environment)).rejects.toMatchObject({ name: 'CancelledFailure' });
  });

  it('has an epoch that cannot fall', async () => {
    await openNight(activities, nightEnding(1), ofDataset('turn_epoch'));

    await expect(test.pool.query(`update meridian.turn set epoch = 0 where dataset = 'turn_epoch'`)).rejects.toThrow('would fall');
  });
});
