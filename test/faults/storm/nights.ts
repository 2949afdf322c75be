import { setTimeout as sleep } from 'node:timers/promises';
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { type CycleRef, generationPrefix } from '../../../domain/cycle';
import type { CopyPart, JobManifest, S3Pointer } from '../../../domain/documents';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import { loadCandidates, openNight, putPart, run, type TestActivities } from '../../sql/fixture';
import { BUCKET } from '../../sql/object-store';
import type { TestDatabase } from '../../support/postgres';
import { nightEnd } from '../raw-night';

/** How one night came to be served, or not. */
export interface StormNight {
  readonly outcome: 'promoted' | 'blocked';
  /** Swaps tried. */
  readonly attempts: number;
  /** How long older snapshots were waited for. */
  readonly snapshotWaitMs: number;
  /** The swap that succeeded. */
  readonly swapMs: number;
  /** From opening the cycle to freeing the turn. */
  readonly tookMs: number;
}

export interface StormInput {
  readonly test: TestDatabase;
  readonly s3: S3Client;
  readonly activities: TestActivities;
  /** Of `faultPipeline`. */
  readonly spec: PipelineSpec;
}

const ROWS = 40;

/** Takes night `index`, from 1, through the product's activities from its load on, in the order of the workflow. */
export async function promoteStormNight(input: StormInput, index: number): Promise<StormNight> {
  const { activities, spec } = input;
  const beganMs = performance.now();
  const { cycle, epoch } = await openNight(activities, nightEnd(index), spec);
  const manifest = await putJobOutput(input, cycle);
  const versions = await loadCandidates(activities, { cycle, epoch }, spec, manifest);
  const snapshots = await run(activities.awaitSnapshots, { cycle, spec, versions });
  const swapped = snapshots.outcome === 'blocked' ? undefined : await swap();
  const outcome = swapped?.outcome ?? 'blocked';
  await run(activities.retireVersions, { spec });
  await run(activities.closeCycle, { cycle, outcome, detail: '', counts: {} });
  await run(activities.releaseTurn, { cycle, epoch });
  return {
    outcome,
    attempts: swapped?.attempts ?? 0,
    snapshotWaitMs: snapshots.waitedMs,
    swapMs: swapped?.outcome === 'promoted' ? swapped.promotedMs : 0,
    tookMs: performance.now() - beganMs,
  };

  async function swap() {
    await run(activities.vacuumCandidates, { cycle, spec, versions });
    return await run(activities.promote, { cycle, spec, versions, epoch, metadata: {} });
  }
}

/** What the transform job would leave: COPY parts made by PostgreSQL itself, and the manifest. */
async function putJobOutput({ test, s3, spec }: StormInput, cycle: CycleRef): Promise<S3Pointer> {
  const prefix = generationPrefix(cycle);
  const night = cycle.intervalEnd;
  const bodies = [
    `select timestamptz '${cycle.intervalStart}' + i * interval '1 second', 'd-' || i, st_setsrid(st_makepoint(i, i), 4326), i::float8, i::float8,
            '${night}'::text, 'storm'::text, ${cycle.generation}::integer, 'storm'::text, i::bigint from generate_series(1, ${ROWS}) i`,
    `select '${night}'::text, ${ROWS}::bigint`,
  ];
  const relations = await Promise.all(
    spec.relations.map(async ({ name, columns }, n) => {
      const rows = n === 0 ? ROWS : 1;
      const part: CopyPart = await putPart(test, s3, `${prefix}/${name}/copy/part-0`, rows, bodies[n] ?? '');
      return { name, columns, rows, parquetUri: `s3://${BUCKET}/unused/`, copyParts: [part] };
    }),
  );
  const manifest: JobManifest = { inputRows: ROWS, quarantined: {}, quarantineFiles: [], relations };
  const pointer = { bucket: BUCKET, key: `${prefix}/_manifest.json` };
  await s3.send(new PutObjectCommand({ Bucket: pointer.bucket, Key: pointer.key, Body: JSON.stringify(manifest) }));
  return pointer;
}

/** Nothing is promoted for as long as that; the readers go on. */
export async function quiet(milliseconds: number, stop: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal: stop }).catch(() => undefined);
}
