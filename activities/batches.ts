import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import { Context, log } from '@temporalio/activity';
import type { CycleRef } from '../domain/cycle';
import type { BatchManifest, RawObject, S3Pointer } from '../domain/documents';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { arrivalDays, arrivalHourOf, dayPrefix } from './batches/arrival-hours';
import { cutChunks } from './batches/cut-chunks';
import { listCurrentVersions, listPrefixes } from './batches/list-versions';
import { manifestPointer, readManifest, writeManifestOnce } from './batches/manifest';
import { type ObjectState, objectSortKey, settledObjects, writeObjectStates } from './batches/objects-table';
import { forEachParallel } from './for-each-parallel';

export interface BatchDependencies {
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
  readonly buckets: { readonly raw: string; readonly artifacts: string };
  readonly objectsTable: string;
}

export interface DiscoveredBatches {
  readonly manifest: S3Pointer;
  readonly objectCount: number;
  readonly sizeBytes: number;
  readonly chunkCount: number;
}

const LISTINGS_AT_ONCE = 8; // far below S3's 5,500 reads a second per prefix

/** Activities that find what a cycle is to load, and record what became of it. */
export function createBatchActivities(deps: BatchDependencies) {
  return {
    /**
     * Finds the object versions that arrived in the interval, and earlier ones within the lateness, that are neither loaded nor
     * set aside, and pins them in a manifest. Idempotent by (cycle, generation): the first manifest written is what every retry
     * returns. Objects below the raw prefix but in no arrival partition (`YYYY/MM/DD/HH/`) are never listed, so ignored.
     */
    async discoverBatches({
      cycle,
      spec,
    }: {
      readonly cycle: CycleRef;
      readonly spec: PipelineSpec;
    }): Promise<DiscoveredBatches> {
      const { cancellationSignal } = Context.current();
      const pointer = manifestPointer(deps.buckets.artifacts, cycle);
      const earlier = await readManifest(deps.s3, pointer, cancellationSignal);
      if (earlier !== undefined) return summaryOf(pointer, earlier);

      const objects = await findObjects(deps, cycle, spec);
      const written = await writeManifestOnce(
        deps.s3,
        pointer,
        { cycle, objects, chunks: cutChunks(spec, objects) },
        cancellationSignal,
      );
      const summary = summaryOf(pointer, written);
      log.info('Batches discovered', {
        dataset: cycle.dataset,
        objects: summary.objectCount,
        chunks: summary.chunkCount,
      });
      return summary;
    },

    /**
     * Records that the generation's objects are loaded, or set aside with a verdict: no later cycle takes those versions.
     * Idempotent by object version. A generation that discovered nothing marks nothing.
     */
    async markObjects({ cycle, state, verdict }: MarkObjectsInput): Promise<{ readonly marked: number }> {
      const context = Context.current();
      const manifest = await readManifest(
        deps.s3,
        manifestPointer(deps.buckets.artifacts, cycle),
        context.cancellationSignal,
      );
      const objects = manifest?.objects ?? [];
      await writeObjectStates(
        deps.dynamodb,
        deps.objectsTable,
        { cycle, objects, state, ...(verdict === undefined ? {} : { verdict }) },
        context.cancellationSignal,
        (marked) => context.heartbeat({ marked, of: objects.length }),
      );
      return { marked: objects.length };
    },
  };
}
export type BatchActivities = ReturnType<typeof createBatchActivities>;

export interface MarkObjectsInput {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  readonly state: ObjectState;
  /** Why they are set aside; kept with each object. */
  readonly verdict?: string;
}

async function findObjects(deps: BatchDependencies, cycle: CycleRef, spec: PipelineSpec): Promise<readonly RawObject[]> {
  const context = Context.current();
  const { cancellationSignal: signal } = context;
  const hours: { readonly arrivalHour: string; readonly prefix: string }[] = [];
  const interval = { start: cycle.intervalStart, end: cycle.intervalEnd };
  await forEachParallel(arrivalDays(spec, interval), LISTINGS_AT_ONCE, async (day) => {
    for (const prefix of await listPrefixes(deps.s3, deps.buckets.raw, dayPrefix(spec, day), signal)) {
      const arrivalHour = arrivalHourOf(spec, interval, day, prefix);
      if (arrivalHour !== undefined) hours.push({ arrivalHour, prefix });
    }
  });

  const found: RawObject[] = [];
  await forEachParallel(hours, LISTINGS_AT_ONCE, async ({ arrivalHour, prefix }) => {
    const listed = await listCurrentVersions(deps.s3, deps.buckets.raw, prefix, signal);
    const settled = await settledObjects(deps.dynamodb, deps.objectsTable, cycle.dataset, arrivalHour, signal);
    found.push(...listed.filter((object) => !settled.has(objectSortKey(object))).map((object) => ({ ...object, arrivalHour })));
    context.heartbeat({ hours: hours.length, objects: found.length });
  });
  return sortByKeyBytes(found);
}

/** UTF-8 byte order, as S3 lists; JavaScript's own order of strings differs beyond the Basic Multilingual Plane. */
function sortByKeyBytes(objects: readonly RawObject[]): readonly RawObject[] {
  return objects
    .map((object) => ({ object, bytes: Buffer.from(`${object.key}\0${object.versionId}`) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ object }) => object);
}

function summaryOf(manifest: S3Pointer, { objects, chunks }: BatchManifest): DiscoveredBatches {
  return {
    manifest,
    objectCount: objects.length,
    sizeBytes: objects.reduce((sum, object) => sum + object.sizeBytes, 0),
    chunkCount: chunks.length,
  };
}
