import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import { Context, log } from '@temporalio/activity';
import type { CycleRef } from '../domain/cycle';
import type { DataInterval } from '../domain/data-interval';
import type { BatchManifest, S3Pointer } from '../domain/documents';
import type { IngestDeclaration } from '../domain/ingest';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { cutChunks } from './batches/cut-chunks';
import { findObjects } from './batches/find-objects';
import { manifestPointer, readManifest, writeManifestOnce } from './batches/manifest';
import { type ObjectState, writeObjectStates } from './batches/objects-table';

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

      const objects = await findObjects(deps, spec, { start: cycle.intervalStart, end: cycle.intervalEnd });
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
     * How much a cycle of the interval would find: raw object versions that no cycle has loaded or set aside, by the listing that
     * discovery makes. Idempotent: reads only.
     */
    async countUnloaded({ declaration, interval }: CountUnloadedInput): Promise<{ readonly objectCount: number; readonly sizeBytes: number }> {
      const objects = await findObjects(deps, declaration, interval);
      return { objectCount: objects.length, sizeBytes: sizeOf(objects) };
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

export interface CountUnloadedInput {
  readonly declaration: IngestDeclaration;
  readonly interval: DataInterval;
}

export interface MarkObjectsInput {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  readonly state: ObjectState;
  /** Why they are set aside; kept with each object. */
  readonly verdict?: string;
}

function summaryOf(manifest: S3Pointer, { objects, chunks }: BatchManifest): DiscoveredBatches {
  return {
    manifest,
    objectCount: objects.length,
    sizeBytes: sizeOf(objects),
    chunkCount: chunks.length,
  };
}

function sizeOf(objects: BatchManifest['objects']): number {
  return objects.reduce((sum, object) => sum + object.sizeBytes, 0);
}
