import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import { Context, log } from '@temporalio/activity';
import type { CycleRef } from '../domain/cycle';
import type { DataInterval } from '../domain/data-interval';
import type { BatchManifest, S3Pointer } from '../domain/documents';
import type { IngestDeclaration } from '../domain/ingest';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { findObjects } from './batches/find-objects';
import { manifestPointer, partsOf, readManifest, sizeOf, totalsOf } from './batches/manifest';
import { type ObjectState, writeObjectStates } from './batches/objects-table';
import { writeManifestOnce } from './batches/write-manifest';

export interface BatchDependencies {
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
  readonly buckets: { readonly raw: string; readonly artifacts: string };
  readonly objectsTable: string;
  /** Objects from which on a manifest's chunks become a document of their own; default 10,000, some 4 MB. */
  readonly manifestPartObjects?: number;
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
     * returns, and of a long one a retry goes on behind the parts that are written. Objects below the raw prefix but in no arrival partition (`YYYY/MM/DD/HH/`) are never listed, so ignored.
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

      const interval = { start: cycle.intervalStart, end: cycle.intervalEnd };
      const written = await writeManifestOnce({ ...deps, signal: cancellationSignal }, cycle, spec, (after) => findObjects(deps, spec, interval, after));
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
      let found = { objectCount: 0, sizeBytes: 0 };
      for await (const objects of findObjects(deps, declaration, interval)) {
        found = { objectCount: found.objectCount + objects.length, sizeBytes: found.sizeBytes + sizeOf(objects) };
      }
      return found;
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
      if (manifest === undefined) return { marked: 0 };
      const { objectCount } = totalsOf(manifest);
      let marked = 0;
      for await (const { objects } of partsOf(deps.s3, deps.buckets.artifacts, manifest, context.cancellationSignal)) {
        const input = { cycle, objects, state, ...(verdict === undefined ? {} : { verdict }) };
        await writeObjectStates(deps.dynamodb, deps.objectsTable, input, context.cancellationSignal, (count) => {
          marked += count;
          context.heartbeat({ marked, of: objectCount });
        });
      }
      return { marked };
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

function summaryOf(manifest: S3Pointer, written: BatchManifest): DiscoveredBatches {
  return { manifest, ...totalsOf(written) };
}
