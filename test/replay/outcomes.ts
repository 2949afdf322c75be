/**
 * What is recorded into test/replay/histories, one file a name: `npm run record-histories` runs each name that has no file yet, on a real
 * Temporal server with hand-written activities (test/workflows/fake-activities.ts).
 *
 * To record a history of another workflow, export it from workflows/index.ts, give its activities an answer in fake-activities.ts, and
 * add a name here: `'backfill-done': { workflow: 'backfill', workflowId: '…', input: { … } }`. `activities` breaks what should break;
 * `meanwhile` signals, updates or cancels while it runs. It is over when its first execution has closed, be it by continuing as new.
 */
import type { WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { Context } from '@temporalio/activity';
import type { Activities } from '../../activities';
import { backfillWorkflowId } from '../../domain/backfill';
import { intervalEndingAt } from '../../domain/calendar';
import { NO_RECORDS } from '../../domain/conservation';
import { cycleWorkflowId } from '../../domain/cycle';
import type { Decision, DecisionInput, Verdict } from '../../domain/decision';
import { FailureType } from '../../domain/failure-type';
import { inboxWorkflowId } from '../../domain/ingest';
import { dryRunWorkflowId } from '../../domain/shadow-pipeline';
import type { RerunStage } from '../../domain/rerun';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import { cycleOf, SERVED, STORED } from '../workflows/fake-activities';

/** One shape that an execution can take. */
export interface Recording {
  /** Its type, as workflows/index.ts exports it. */
  readonly workflow: string;
  readonly workflowId: string;
  readonly input: object;
  /** What answers otherwise than in a night that goes well. */
  readonly activities?: Partial<Activities>;
  /** What is done to it while it runs; `called` waits until an activity of that name was called. */
  readonly meanwhile?: (handle: WorkflowHandle, called: (name: keyof Activities) => Promise<void>) => Promise<unknown>;
}

const INTERVAL_END = '2018-08-02T00:00:00Z';
const RECORDS = { read: 100, stored: STORED, duplicates: 20, quarantined: { too_late: 10 } };

function cycle(activities: Partial<Activities> = {}, meanwhile?: Recording['meanwhile']): Recording {
  return {
    workflow: 'etlCycle',
    workflowId: cycleWorkflowId('mobile-geolocation', INTERVAL_END),
    input: { pipeline: 'mobile-geolocation', intervalEnd: INTERVAL_END },
    activities,
    ...(meanwhile === undefined ? {} : { meanwhile }),
  };
}

function backfilling(activities: Partial<Activities>, meanwhile?: Recording['meanwhile']): Recording {
  return {
    workflow: 'backfill',
    workflowId: backfillWorkflowId('mobile-geolocation'),
    input: { pipeline: 'mobile-geolocation', from: '2018-08-01T00:00:00Z', to: '2018-08-05T00:00:00Z' },
    activities,
    ...(meanwhile === undefined ? {} : { meanwhile }),
  };
}

function dry(input: { readonly keepHours?: number }, activities: Partial<Activities> = {}, meanwhile?: Recording['meanwhile']): Recording {
  return {
    workflow: 'dryRun',
    workflowId: dryRunWorkflowId('mobile-geolocation', INTERVAL_END),
    input: { pipeline: 'mobile-geolocation', intervalEnd: INTERVAL_END, ...input },
    activities,
    ...(meanwhile === undefined ? {} : { meanwhile }),
  };
}

const failingRule: Activities['awaitQualityRun'] = ({ step, runId }) =>
  Promise.resolve({ runId, rules: [{ step, rule: 'Completeness "speed" > 0.9', result: step === 'added' ? 'FAIL' : 'PASS' }], rowCount: 70 });

/** One recorded history for each shape. */
const SHAPES: Readonly<Record<string, Recording>> = {
  promoted: cycle(),
  empty: cycle(emptyNights()),
  rejected: cycle({ awaitQualityRun: failingRule }),
  failed: cycle({
    awaitSparkJob: () => Promise.reject(ApplicationFailure.nonRetryable('run jr-1 ended FAILED', FailureType.JobFailed)),
  }),
  blocked: cycle({
    awaitSnapshots: () => Promise.resolve({ outcome: 'blocked', waitedMs: 900_000, blockedBy: ['pid 42'] }),
  }),
  'blocked-marked': cycle({
    awaitSnapshots: () => Promise.resolve({ outcome: 'blocked', waitedMs: 900_000, blockedBy: ['pid 42'] }),
  }),
  settling: cycle({ takeTurn: afterTerminatedNight() }),
  cancelled: cycle(
    { awaitSparkJob: forEver },
    async (handle, called) => {
      await called('awaitSparkJob');
      await handle.cancel();
    },
  ),
  'dry-run-dropped-at-once': dry({ keepHours: 0 }),
  'dry-run-dropped-when-asked': dry({}, {}, async (handle, called) => {
    await called('releaseTurn');
    await handle.signal('drop');
  }),
  'dry-run-kept-until-its-time': dry({ keepHours: 1 / 3_600 }),
  'dry-run-cancelled-while-kept': dry({}, {}, async (handle, called) => {
    await called('releaseTurn');
    await handle.cancel();
  }),
  'dry-run-empty': dry({}, emptyNights()),
  'dry-run-rejected': dry({ keepHours: 0 }, { awaitQualityRun: failingRule }),
  'dry-run-rejected-and-not-loaded': dry({}, {
    awaitQualityRun: failingRule,
    finishCandidate: () => Promise.reject(ApplicationFailure.nonRetryable('places__dry_v1 has 2 repeated keys', FailureType.CandidateInvalid)),
  }),
  'dry-run-blocked': dry({ keepHours: 0 }, { awaitSnapshots: () => Promise.resolve({ outcome: 'blocked', waitedMs: 900_000, blockedBy: ['pid 42'] }) }),
  'dry-run-failed': dry({}, { awaitSparkJob: () => Promise.reject(ApplicationFailure.nonRetryable('run jr-1 ended FAILED', FailureType.JobFailed)) }),
  'dry-run-cancelled': dry({}, { awaitSparkJob: forEver }, async (handle, called) => {
    await called('awaitSparkJob');
    await handle.cancel();
  }),
  'dry-run-in-place-of-another': dry({ keepHours: 0 }, { takeTurn: afterTerminatedNight() }),
  'held-approved': held('approve'),
  'held-rejected': held('reject'),
  'rerun-discover': rerun('discover'),
  'rerun-transform': rerun('transform'),
  'rerun-check': rerun('check'),
  'rerun-load': rerun('load'),
  'rolled-back': { workflow: 'rollback', workflowId: 'rollback/mobile-geolocation', input: { pipeline: 'mobile-geolocation', by: 'ada', reason: 'wrong data' } },
  'hold-released': { workflow: 'releaseHold', workflowId: 'release/mobile-geolocation', input: { pipeline: 'mobile-geolocation', by: 'ada' } },
  'blocked-by-rollback': cycle({
    promote: () => Promise.resolve({ outcome: 'blocked', held: true, reason: 'rolled back by ada', attempts: 1 }),
  }),
  'inbox-flushed': {
    workflow: 'inbox',
    workflowId: inboxWorkflowId('mobile-geolocation'),
    input: { pipeline: 'mobile-geolocation' },
    activities: { resolveIngest: ingestUntil(3) },
    meanwhile: async (handle, called) => {
      await called('countUnloaded');
      await handle.signal('objectsArrived', [{ key: 'mobile-geolocation/2018/08/01/00/a.json', etag: 'e', sizeBytes: 1, sequencer: '1', eventTime: '2018-08-01T00:30:00Z' }]);
      await handle.executeUpdate('pause');
      await handle.executeUpdate('resume');
      await handle.executeUpdate('flush');
    },
  },
  discarded: {
    workflow: 'discardCycle',
    workflowId: `discard/mobile-geolocation-${INTERVAL_END}`,
    input: { pipeline: 'mobile-geolocation', intervalEnd: INTERVAL_END, by: 'ada', reason: 'a test feed' },
  },
  'backfill-done': backfilling({
    ...emptyNights(),
    readInterval: ({ interval }) => Promise.resolve({ state: interval.end === INTERVAL_END ? 'promoted' : 'missing' }),
  }),
  'backfill-stopped': backfilling({ discoverBatches: () => Promise.reject(ApplicationFailure.nonRetryable('bucket gone', FailureType.Misconfigured)) }),
  'backfill-continued': backfilling({ ...emptyNights(), planBackfill: firstPage }),
  'backfill-paused-cancelled': backfilling({ ...emptyNights(), takeTurn: forEver }, async (handle, called) => {
    await called('takeTurn');
    await handle.signal('pause', { by: 'ada', reason: 'month end' });
    await handle.signal('resume');
    await handle.cancel();
  }),
};

/** Of a cycle and of a dry run there are two: since 2026-11-short-steps-in-the-task what is short is no activity of its own. */
export const RECORDED_OUTCOMES: Readonly<Record<string, Recording>> = {
  ...SHAPES,
  ...Object.fromEntries(Object.entries(SHAPES).flatMap(([name, shape]) => (['etlCycle', 'dryRun'].includes(shape.workflow) ? [[`${name}-short-steps`, shape]] : []))),
  // Since 2026-11-held-is-told-by-activities what is told beside the wait for a person is an activity again.
  'held-approved-told-by-activities': held('approve'),
  'held-rejected-told-by-activities': held('reject'),
  'held-decided-while-told': decidedWhileTold(),
  'first-tries-failed-short-steps': cycle({ raiseFence: failingAtFirst(undefined), closeCycle: failingAtFirst(undefined), announceOutcome: failingAtFirst({ announced: true }) }),
  'deduplicated-by-spark': cycle({ resolvePipeline: bySpark }),
  'deduplicated-by-spark-in-two-rounds': cycle({ resolvePipeline: bySpark, commitDedupJob: lostAtFirst() }),
  'deduplicated-by-spark-before': cycle({ resolvePipeline: bySpark, prepareDedupJob: ({ chunk }) => Promise.resolve({ input: { bucket: 'artifacts', key: `${chunk}` }, committed: chunk === 0 ? RECORDS : NO_RECORDS }) }),
  'deduplicated-by-spark-cancelled': cycle({ resolvePipeline: bySpark, awaitSparkJob: forEver }, async (handle, called) => {
    await called('awaitSparkJob');
    await handle.cancel();
  }),
};

/** A pipeline whose chunks are deduplicated by Spark. */
function bySpark({ intervalEnd = INTERVAL_END }: Parameters<Activities['resolvePipeline']>[0]): ReturnType<Activities['resolvePipeline']> {
  return Promise.resolve({ spec: { ...mobileGeolocation, dedup: { ...mobileGeolocation.dedup, engine: 'spark' } }, interval: intervalEndingAt(intervalEnd, mobileGeolocation) });
}

/** Somebody else committed to one of the dates of the first run. */
function lostAtFirst(): Activities['commitDedupJob'] {
  let tried = 0;
  return () => Promise.resolve((tried += 1) === 1 ? {} : { committed: tried === 2 ? RECORDS : NO_RECORDS });
}

/** As an engine that is away for a moment. */
function failingAtFirst<T>(answer: T): () => Promise<T> {
  return () => (Context.current().info.isLocal ? Promise.reject(new Error('connect ECONNREFUSED')) : Promise.resolve(answer));
}

/** Until it is cancelled. */
async function forEver(): Promise<never> {
  for (;;) {
    Context.current().heartbeat();
    await Context.current().sleep(100);
  }
}

/** A night whose gate fails, in a pipeline that holds such nights, and what a person then says of it. */
function held(decision: Verdict): Recording {
  const activities: Partial<Activities> = {
    resolvePipeline: ({ intervalEnd = INTERVAL_END }) =>
      Promise.resolve({
        spec: { ...mobileGeolocation, quality: { ...mobileGeolocation.quality, hold: { deadlineMinutes: 60, atDeadline: 'reject', remindEveryMinutes: 30 } } },
        interval: intervalEndingAt(intervalEnd, mobileGeolocation),
      }),
    awaitQualityRun: ({ step, runId }) =>
      Promise.resolve({ runId, rules: [{ step, rule: 'RowCount > 0', result: step === 'added' ? 'FAIL' : 'PASS' }], rowCount: step === 'added' ? STORED : SERVED }),
  };
  return cycle(activities, async (handle, called) => {
    await called('announceOutcome');
    await handle.executeUpdate<Decision, [DecisionInput]>('decide', { args: [{ decision, by: 'ada', reason: 'looked at it' }] });
  });
}

/** The decision comes before the message of the hold is out. */
function decidedWhileTold(): Recording {
  const { activities, ...recording } = held('approve');
  let told = 0;
  const announceOutcome: Activities['announceOutcome'] = async () => {
    if ((told += 1) === 1) await Context.current().sleep(1_500);
    return { announced: true };
  };
  return { ...recording, activities: { ...activities, announceOutcome } };
}

function rerun(from: RerunStage): Recording {
  const request = { from, by: 'ada', reason: 'the job was mended' };
  const data = { ...cycleOf('2018-08-01T00:00:00Z', INTERVAL_END), generation: 1 };
  const { input, ...recording } = cycle({
    planRerun: () =>
      Promise.resolve({ ...request, ofGeneration: 1, ofRunId: 'run-1', ...(from === 'discover' ? {} : { data }), ...(from === 'check' || from === 'load' ? { output: data } : {}) }),
    reuseResults: () =>
      Promise.resolve(
        from === 'discover'
          ? {}
          : { records: RECORDS, ...(from === 'load' ? { gate: { rules: [{ step: 'added', rule: 'RowCount > 0', result: 'PASS' }], rowCounts: { added: STORED, served: SERVED } } } : {}) },
      ),
  });
  return { ...recording, input: { ...input, rerun: request } };
}

/** An inbox ends once its pipeline is declared to run by its schedule alone. */
function ingestUntil(calls: number): Activities['resolveIngest'] {
  let asked = 0;
  const { name, dataset, intervalHours, raw, dedup } = mobileGeolocation;
  const ingest = { mode: 'on-object', maxObjects: 100, maxBytes: 64 * 1024 ** 2, maxAgeSeconds: 900, sweepMinutes: 60 } as const;
  return () => Promise.resolve((asked += 1) < calls ? { name, dataset, intervalHours, raw, dedup, ingest } : undefined);
}

/** The turn of a dataset whose last holder was terminated: it is settled first, then the turn is taken again. */
function afterTerminatedNight(): Activities['takeTurn'] {
  let taken = 0;
  return ({ cycle }) => {
    taken += 1;
    const earlier = { ...cycle, intervalStart: '2018-07-31T00:00:00Z', intervalEnd: '2018-08-01T00:00:00Z' };
    return Promise.resolve({ epoch: 2, ...(taken === 1 ? { unsettled: { cycle: earlier, promoted: false, jobs: [] } } : {}) });
  };
}

function emptyNights(): Partial<Activities> {
  return { discoverBatches: () => Promise.resolve({ manifest: { bucket: 'b', key: 'k' }, objectCount: 0, sizeBytes: 0, chunkCount: 0 }) };
}

/** Of a range whose cycles are more than one history should hold. */
function firstPage({ from }: { readonly from: string }): ReturnType<Activities['planBackfill']> {
  const end = new Date(Date.parse(from) + 86_400_000).toISOString().replace('.000', '');
  return Promise.resolve({ due: [{ start: from, end }], dueCount: 2, states: { missing: 2 }, needDecision: { count: 0, first: [] }, medianMs: 60_000 });
}
