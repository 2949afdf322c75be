import type { Activities } from '../../activities';
import { NO_RECORDS } from '../../domain/conservation';
import type { CycleRef } from '../../domain/cycle';
import { intervalsBetween, requestedInterval } from '../../domain/calendar';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { RollbackPlan } from '../../domain/rollback';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';

export interface Call {
  readonly name: keyof Activities;
  readonly input: unknown;
}

const spec: PipelineSpec = mobileGeolocation;
export const STORED = 70;
export const SERVED = 170;

/**
 * Hand-written activities of a night that goes well; `overrides` break one. Every call is kept in `calls`, in order.
 * What the real ones do is tested on the real engines: here only the order and what is due when one fails.
 */
export function fakeActivities(overrides: Partial<Activities> = {}): { activities: Activities; calls: Call[] } {
  const calls: Call[] = [];
  const manifest = { bucket: 'artifacts', key: 'manifest.json' };
  const good: Activities = {
    resolvePipeline: async ({ intervalEnd, startedAt }) => ({
      spec,
      interval: requestedInterval({ intervalHours: 24 }, intervalEnd, new Date(startedAt)),
    }),
    resolveIngest: async () => ({ ...spec, ingest: { mode: 'on-object', maxObjects: 100, maxBytes: 64 * 1024 ** 2, maxAgeSeconds: 900, sweepMinutes: 60 } }),
    countUnloaded: async () => ({ objectCount: 12, sizeBytes: 1_000_000 }),
    awaitCycle: async () => ({ outcome: 'promoted' }),
    openCycle: async ({ spec: opened, intervalStart, intervalEnd }) => ({
      cycle: { ...cycleOf(intervalStart, intervalEnd), pipeline: opened.name, dataset: opened.dataset },
      olderJobs: [],
    }),
    planBackfill: async ({ from, to }) => {
      const due = intervalsBetween({ intervalHours: 24 }, from, to);
      return { due, dueCount: due.length, states: { missing: due.length }, needDecision: { count: 0, first: [] } };
    },
    readInterval: async () => ({ state: 'missing' }),
    awaitCycleEnd: async () => ({ state: 'promoted' }),
    takeTurn: async () => ({ epoch: 7 }),
    raiseFence: async () => undefined,
    discoverBatches: async () => ({ manifest, objectCount: 12, sizeBytes: 1_000_000, chunkCount: 3 }),
    dedupChunks: async () => ({
      counts: { read: 100, stored: STORED, duplicates: 20, quarantined: { too_late: 10 } },
      capacity: { readUnits: 1, writeUnits: 1, requests: 3 },
      files: 1,
    }),
    prepareDedupJob: async ({ chunk, round }) => ({ input: { bucket: 'artifacts', key: `dedup/${chunk}-${round}/input.json` } }),
    submitDedupJob: async ({ chunk, round }) => ({ clientToken: `token-${chunk}-${round}`, jobRunId: `jr-dedup-${chunk}-${round}` }),
    commitDedupJob: async ({ input }) => ({ committed: input.key.startsWith('dedup/0-') ? { read: 100, stored: STORED, duplicates: 20, quarantined: { too_late: 10 } } : NO_RECORDS }),
    prepareTransform: async () => ({ input: manifest, files: 4, rowCount: SERVED, addedRowCount: STORED }),
    submitSparkJob: async () => ({ clientToken: 'token', jobRunId: 'jr-1' }),
    readTransformInput: async () => ({ input: manifest, files: 4, rowCount: SERVED, addedRowCount: STORED }),
    awaitSparkJob: async () => ({ jobRunId: 'jr-1', vCpuHours: 0.1, memoryGbHours: 0.4, storageGbHours: 1 }),
    readJobManifest: async ({ spec: declared }) => ({
      manifest,
      inputRows: SERVED,
      quarantined: {},
      relations: declared.relations.map(({ name }) =>
        name === declared.quality.relation
          ? { name, rows: SERVED, addedRows: STORED, parts: 2, sizeBytes: 10_000 }
          : { name, rows: 9, parts: 1, sizeBytes: 1_000 },
      ),
    }),
    startQualityRun: async ({ step }) => ({ clientToken: `token-${step}`, runId: `dq-${step}` }),
    awaitQualityRun: async ({ step, runId }) => ({
      runId,
      rules: [{ step, rule: 'RowCount > 0', result: 'PASS' }],
      rowCount: step === 'added' ? STORED : SERVED,
    }),
    createCandidate: async ({ relation }) => ({ version: 3, table: `${relation}_v3` }),
    loadRelation: async () => ({ rows: SERVED, parts: 2 }),
    finishCandidate: async ({ relation, spec: declared }) => ({ rows: relation === declared.quality.relation ? SERVED : 9 }),
    awaitSnapshots: async () => ({ outcome: 'clear', waitedMs: 38, blockedBy: [] }),
    vacuumCandidates: async () => undefined,
    promote: async () => ({ outcome: 'promoted', sequence: 4, promotedMs: 12, attempts: 1 }),
    markObjects: async () => ({ marked: 12 }),
    publishPartitions: async () => ({ dates: 1 }),
    removeGatePartitions: async () => undefined,
    retireVersions: async () => ({ dropped: [], pending: [] }),
    voidCycle: async () => ({ voided: 3 }),
    dropCandidates: async () => ({ dropped: [] }),
    openJobs: async () => [],
    settlePromotion: async () => undefined,
    settleSparkJob: async () => undefined,
    settleQualityRun: async () => undefined,
    planRollback: async () => rollbackPlan(),
    awaitOlderReaders: async () => ({ waitedMs: 0 }),
    rollback: async ({ plan, request }) => ({ plan, sequence: 5, promotedMs: 8, attempts: 1, held: request.hold ?? true }),
    releaseHold: async () => ({ released: true }),
    planRerun: async ({ request }) => ({ ...request, ofGeneration: 1, ofRunId: 'run-1' }),
    reuseResults: async () => ({}),
    releaseObjects: async () => ({ released: 12 }),
    discardObjects: async () => ({ discarded: 12 }),
    recordJob: async (job) => ({ ...job, state: 'RECORDED' }),
    recordCounts: async () => undefined,
    chunkTotals: async () => ({ chunks: 3, files: 3, counts: { read: 100, stored: STORED, duplicates: 20, quarantined: { too_late: 10 } } }),
    recordJobState: async () => undefined,
    closeCycle: async () => undefined,
    releaseTurn: async () => undefined,
    announceOutcome: async () => ({ announced: true }),
    freezeDryRunBase: async () => ({ chunks: 2, files: 2 }),
    dedupDryChunks: async () => ({ counts: { read: 100, stored: STORED, duplicates: 20, quarantined: { too_late: 10 } }, files: 1 }),
    prepareDryTransform: async () => ({ input: manifest, files: 4, rowCount: SERVED, addedRowCount: STORED }),
    checkLiveContract: async () => undefined,
    diffDryRun: async ({ spec: compared }) => ({
      document: { bucket: 'artifacts', key: 'dry-runs/diff.json' },
      relations: compared.relations.map(({ name, view }) => ({
        ...{ relation: name, view, liveVersion: 2, before: 100, after: SERVED, added: STORED, removed: 0, changed: 0, changedColumns: {} },
      })),
    }),
    dropDryRun: async () => ({ tables: [] }),
    ...overrides,
  };
  const activities = Object.fromEntries(
    Object.entries(good).map(([name, activity]) => [
      name,
      (input: never) => {
        calls.push({ name: name as keyof Activities, input });
        return activity(input);
      },
    ]),
  ) as unknown as Activities;
  return { activities, calls };
}

function rollbackPlan(): RollbackPlan {
  const target = { relation: 'positions', view: 'vw_positions', from: 4, version: 3, table: 'positions_v3', rows: SERVED };
  return { pipeline: spec.name, latest: 4, restored: 3, cycle: cycleOf('2018-08-01T00:00:00Z', '2018-08-02T00:00:00Z'), targets: [target], loadedAt: '2018-08-02T00:05:00.000Z' };
}

export function cycleOf(intervalStart: string, intervalEnd: string): CycleRef {
  return { pipeline: spec.name, dataset: spec.dataset, intervalStart, intervalEnd, generation: 1 };
}
