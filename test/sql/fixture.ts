import { randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { Info as ActivityInfo } from '@temporalio/activity';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { to as copyTo } from 'pg-copy-streams';
import { createCycleActivities } from '../../activities/cycles';
import { createLoadActivities } from '../../activities/load';
import { createPromotionActivities } from '../../activities/promotion';
import { createRollbackActivities } from '../../activities/rollback';
import { type CycleRef, generationPrefix } from '../../domain/cycle';
import { intervalEndingAt } from '../../domain/calendar';
import type { CopyPart, JobManifest, JobRelation, S3Pointer } from '../../domain/documents';
import type { PipelineSpec, RelationSpec } from '../../domain/pipeline-spec';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import type { TestDatabase } from '../support/postgres';
import { BUCKET } from './object-store';

export const positions = {
  name: 'places',
  view: 'vw_places',
  columns: [
    { name: 'id', type: 'bigint' },
    { name: 'seen_at', type: 'timestamptz' },
    { name: 'geom', type: 'geometry(Point,4326)' },
    { name: 'night', type: 'text' },
  ],
  key: ['id'],
  indexes: [
    { columns: ['geom'], method: 'gist' },
    { columns: ['seen_at'], method: 'brin' },
  ],
  mayBeEmpty: false,
} as const satisfies RelationSpec;

const totals = {
  name: 'totals',
  view: 'vw_totals',
  columns: [
    { name: 'night', type: 'text' },
    { name: 'records', type: 'bigint' },
  ],
  key: ['night'],
  indexes: [],
  mayBeEmpty: true,
} as const satisfies RelationSpec;

/** A pipeline of two relations with a short patience. */
export const spec: PipelineSpec = {
  ...mobileGeolocation,
  name: 'places',
  dataset: 'places',
  relations: [positions, totals],
  quality: { ...mobileGeolocation.quality, relation: 'places' },
  promotion: { keepVersions: 2, snapshotWaitMinutes: 1, swapWaitMinutes: 1 },
};

/** The activities over one test database. */
export function createActivities(test: TestDatabase, s3: S3Client, isExecutionClosed = async () => false) {
  return {
    ...createCycleActivities({ db: test.db, isExecutionClosed }),
    ...createLoadActivities({ db: test.db, pool: test.pool, s3 }),
    ...createPromotionActivities({ db: test.db, pool: test.pool }),
    ...createRollbackActivities({ db: test.db, pool: test.pool }),
  };
}
export type TestActivities = ReturnType<typeof createActivities>;

/** A context of an activity's own; quiet, since failures are what many tests ask for. */
export function activityEnvironment(info: Partial<ActivityInfo> = {}): MockActivityEnvironment {
  return new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') });
}

/** Runs an activity as a worker would. */
export async function run<I, O>(activity: (input: I) => Promise<O>, input: I, environment = activityEnvironment()): Promise<O> {
  return await environment.run(activity, input);
}

export interface OpenedCycle {
  readonly cycle: CycleRef;
  readonly epoch: number;
  readonly workflowId: string;
  readonly runId: string;
}

/** Opens a night and takes the turn. */
export async function openNight(activities: TestActivities, intervalEnd: string, of: PipelineSpec = spec): Promise<OpenedCycle> {
  const { start, end } = intervalEndingAt(intervalEnd, { intervalHours: 24 });
  const self = { workflowId: `etl/${of.name}-${end}`, runId: randomUUID() };
  const { cycle } = await run(activities.openCycle, { spec: of, intervalStart: start, intervalEnd: end, ...self });
  const { epoch } = await run(activities.takeTurn, { cycle, ...self, waitSeconds: 5 });
  return { cycle, epoch, ...self };
}

export interface JobOutput {
  /** Rows of `places`, cut into `parts` COPY parts. */
  readonly rows: number;
  readonly parts?: number;
  /** What the rows say of their night; one value a version, by which readers know what they see. */
  readonly night: string;
  /** Changes the manifest before it is written. */
  readonly edit?: (manifest: JobManifest) => JobManifest;
}

/** Writes what the transform job would leave: COPY parts made by PostgreSQL itself, and the manifest. */
export async function putJobOutput(test: TestDatabase, s3: S3Client, cycle: CycleRef, output: JobOutput): Promise<S3Pointer> {
  const { rows, parts = 1, night } = output;
  const prefix = generationPrefix(cycle);
  const placeParts: CopyPart[] = [];
  for (let n = 0; n < parts; n += 1) {
    const [from, to] = [Math.floor((rows * n) / parts) + 1, Math.floor((rows * (n + 1)) / parts)];
    placeParts.push(
      await putPart(test, s3, `${prefix}/places/copy/part-${n}`, to - from + 1, `
        select i::bigint, timestamptz '2018-08-01' + i * interval '1 second', st_setsrid(st_makepoint(i % 180, i % 90), 4326), '${night}'::text
          from generate_series(${from}, ${to}) i`),
    );
  }
  const totalPart = await putPart(test, s3, `${prefix}/totals/copy/part-0`, 1, `select '${night}'::text, ${rows}::bigint`);
  const manifest: JobManifest = {
    inputRows: rows,
    quarantined: {},
    quarantineFiles: [],
    relations: [describe(positions, placeParts), describe(totals, [totalPart])],
  };
  const pointer = { bucket: BUCKET, key: `${prefix}/_manifest.json` };
  const document = output.edit?.(manifest) ?? manifest;
  await s3.send(new PutObjectCommand({ Bucket: pointer.bucket, Key: pointer.key, Body: JSON.stringify(document) }));
  return pointer;
}

/** One COPY part with the rows of a query. */
export async function putPart(test: TestDatabase, s3: S3Client, key: string, rows: number, query: string): Promise<CopyPart> {
  const client = await test.pool.connect();
  try {
    const body = await buffer(client.query(copyTo(`copy (${query}) to stdout (format binary)`)));
    const { ETag } = await s3.send(new PutObjectCommand({ Bucket: BUCKET, Key: key, Body: body }));
    return { uri: `s3://${BUCKET}/${key}`, etag: ETag ?? '', rows, sizeBytes: body.length };
  } finally {
    client.release();
  }
}

function describe(relation: RelationSpec, copyParts: readonly CopyPart[]): JobRelation {
  return {
    name: relation.name,
    columns: relation.columns,
    rows: copyParts.reduce((sum, part) => sum + part.rows, 0),
    parquetUri: `s3://${BUCKET}/unused/`,
    copyParts,
  };
}

export interface LoadedNight extends OpenedCycle {
  readonly versions: readonly { readonly relation: string; readonly version: number }[];
}

/** Loads the candidate of each relation from the job's output, in the order of the workflow. */
export async function loadCandidates(
  activities: TestActivities,
  { cycle, epoch }: Pick<OpenedCycle, 'cycle' | 'epoch'>,
  spec: PipelineSpec,
  manifest: S3Pointer,
  input?: S3Pointer,
): Promise<LoadedNight['versions']> {
  const documents = { manifest, ...(input === undefined ? {} : { input }) };
  const versions: { readonly relation: string; readonly version: number }[] = [];
  for (const { name: relation } of spec.relations) {
    const { version } = await run(activities.createCandidate, { cycle, spec, epoch, relation, ...documents });
    await run(activities.loadRelation, { cycle, spec, relation, version, ...documents });
    await run(activities.finishCandidate, { cycle, spec, relation, version, ...documents });
    versions.push({ relation, version });
  }
  return versions;
}

/** Brings a night up to the point where its candidates are loaded. */
export async function loadNight(
  test: TestDatabase,
  activities: TestActivities,
  s3: S3Client,
  intervalEnd: string,
  output: Partial<JobOutput> = {},
): Promise<LoadedNight> {
  const opened = await openNight(activities, intervalEnd);
  const manifest = await putJobOutput(test, s3, opened.cycle, { rows: 100, night: intervalEnd, ...output });
  return { ...opened, versions: await loadCandidates(activities, opened, spec, manifest) };
}

/** Promotes a loaded night, closes it and frees the turn. */
export async function promoteNight(activities: TestActivities, night: LoadedNight) {
  const { cycle, epoch, versions } = night;
  const result = await run(activities.promote, { cycle, spec, versions, epoch, metadata: { jobRunId: 'job-1' } });
  await run(activities.closeCycle, { cycle, outcome: result.outcome, detail: '', counts: {} });
  await run(activities.releaseTurn, { cycle, epoch });
  return result;
}

/** Nights of August 2018, one after the other. */
export function nightEnding(day: number): string {
  return `2018-08-${String(day).padStart(2, '0')}T00:00:00Z`;
}
