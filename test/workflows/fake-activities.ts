import type { Activities } from '../../activities';
import type { CycleRef } from '../../domain/cycle';
import { requestedInterval } from '../../domain/calendar';
import type { PipelineSpec } from '../../domain/pipeline-spec';
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
    openCycle: async ({ intervalStart, intervalEnd }) => ({ cycle: cycleOf(intervalStart, intervalEnd), olderJobs: [] }),
    takeTurn: async () => ({ epoch: 7 }),
    raiseFence: async () => undefined,
    discoverBatches: async () => ({ manifest, objectCount: 12, sizeBytes: 1_000_000, chunkCount: 3 }),
    dedupChunks: async () => ({
      counts: { read: 100, stored: STORED, duplicates: 20, quarantined: { too_late: 10 } },
      capacity: { readUnits: 1, writeUnits: 1, requests: 3 },
      files: 1,
    }),
    prepareTransform: async () => ({ input: manifest, files: 4, rowCount: SERVED, addedRowCount: STORED }),
    submitSparkJob: async () => ({ clientToken: 'token', jobRunId: 'jr-1' }),
    awaitSparkJob: async () => ({ jobRunId: 'jr-1', vCpuHours: 0.1, memoryGbHours: 0.4, storageGbHours: 1 }),
    readJobManifest: async () => ({
      manifest,
      inputRows: SERVED,
      quarantined: {},
      relations: [
        { name: 'positions', rows: SERVED, addedRows: STORED, parts: 2, sizeBytes: 10_000 },
        { name: 'zone_activity', rows: 9, parts: 1, sizeBytes: 1_000 },
      ],
    }),
    startQualityRun: async ({ step }) => ({ clientToken: `token-${step}`, runId: `dq-${step}` }),
    awaitQualityRun: async ({ step, runId }) => ({
      runId,
      rules: [{ step, rule: 'RowCount > 0', result: 'PASS' }],
      rowCount: step === 'added' ? STORED : SERVED,
    }),
    createCandidate: async ({ relation }) => ({ version: 3, table: `${relation}_v3` }),
    loadRelation: async () => ({ rows: SERVED, parts: 2 }),
    finishCandidate: async ({ relation }) => ({ rows: relation === 'positions' ? SERVED : 9 }),
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
    recordJob: async (job) => ({ ...job, state: 'RECORDED' }),
    recordCounts: async () => undefined,
    chunkTotals: async () => ({ chunks: 3, files: 3, counts: { read: 100, stored: STORED, duplicates: 20, quarantined: { too_late: 10 } } }),
    recordJobState: async () => undefined,
    closeCycle: async () => undefined,
    releaseTurn: async () => undefined,
    announceOutcome: async () => ({ announced: true }),
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

export function cycleOf(intervalStart: string, intervalEnd: string): CycleRef {
  return { pipeline: spec.name, dataset: spec.dataset, intervalStart, intervalEnd, generation: 1 };
}
