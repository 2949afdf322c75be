import { join } from 'node:path';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import { Context, log } from '@temporalio/activity';
import { addCounts, NO_RECORDS } from '../domain/conservation';
import { type CycleRef, generationPrefix } from '../domain/cycle';
import type { RecordCounts } from '../domain/documents';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { dedupChunk } from './ledger/dedup-chunk';
import { dedupSlice, type Slice } from './ledger/dedup-slice';
import { raiseFence } from './ledger/fence';
import { type LedgerCapacity, LedgerTable } from './ledger/ledger-table';
import { RAW_LIMITS, type RawLimits } from './ledger/line-splitter';
import { SegmentCache } from './ledger/segment-cache';
import { chunksOf, voidGeneration } from './ledger/void-cycle';

export { liveStorageFiles } from './ledger/live-files';

export interface LedgerDependencies {
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
  readonly buckets: {
    readonly raw: string;
    readonly storage: string;
    readonly quarantine: string;
    readonly artifacts: string;
  };
  readonly ledgerTable: string;
  /** Scratch space and the segment cache; may be lost at any time between attempts. */
  readonly workDir: string;
  /** DuckDB's limit for one chunk; it spills to `workDir` beyond. */
  readonly duckdbMemoryMb: number;
  /** Default 8 GiB: some 500 million fingerprints. */
  readonly segmentCacheBytes?: number;
  readonly rawLimits?: RawLimits;
}


/** Activities around the dedup ledger: storage is the files of its committed, unvoided chunks (docs/ARCHITECTURE.md). */
export function createLedgerActivities(deps: LedgerDependencies) {
  const cache = new SegmentCache(join(deps.workDir, 'segments'), deps.segmentCacheBytes);
  const openTable = () => new LedgerTable(deps.dynamodb, deps.ledgerTable, Context.current().cancellationSignal);

  return {
    /**
     * Stores the records of chunks `[fromChunk, toChunk)` that nobody has stored within the window, chunk after chunk in manifest
     * order. Idempotent by (cycle, generation, chunk). Heartbeats the chunk and the counts so far.
     * @throws see `dedupChunk`
     */
    async dedupChunks(input: DedupChunksInput): Promise<DedupChunksResult> {
      const table = openTable();
      const slice = { s3: deps.s3, artifacts: deps.buckets.artifacts };
      const { counts, files } = await dedupSlice(slice, input, ({ chunk, objects, onStep }) =>
        dedupChunk(
          { ...deps, table, cache, workDir: join(deps.workDir, 'chunks'), limits: deps.rawLimits ?? RAW_LIMITS, onStep },
          { ...input, chunk, objects },
        ),
      );
      await cache.trim(Date.now());
      log.info('Chunks deduplicated', { fromChunk: input.fromChunk, toChunk: input.toChunk, ...counts, ...table.capacity });
      return { counts, capacity: table.capacity, files };
    },

    /**
     * Lets nothing commit under an older epoch of the dataset from here on. Idempotent by epoch: it only grows.
     * @throws `TurnLost`, not retryable, when a newer epoch is there
     */
    async raiseFence({ dataset, epoch }: { readonly dataset: string; readonly epoch: number }): Promise<void> {
      await raiseFence(deps.dynamodb, deps.ledgerTable, dataset, epoch, Context.current().cancellationSignal);
    },

    /**
     * Takes back all chunks that a generation committed, and lets it commit no more; its records count as never seen. Idempotent
     * by (cycle, generation). @throws `TurnLost`, `LedgerRefused`
     */
    async voidCycle({ cycle, spec, epoch, keepQuarantine = false }: VoidCycleInput): Promise<{ readonly voided: number }> {
      const context = Context.current();
      const onProgress = (voided: number) => context.heartbeat({ voided });
      const voided = await voidGeneration({ ...deps, table: openTable(), onProgress }, { cycle, spec, epoch, keepQuarantine });
      log.info('Cycle voided', { generation: generationPrefix(cycle), chunks: voided });
      return { voided };
    },

    /** What a generation has committed so far. Reads only. */
    async chunkTotals({ cycle }: { readonly cycle: CycleRef }): Promise<ChunkTotals> {
      const committed = (await chunksOf(openTable(), cycle)).filter((chunk) => chunk.state === 'committed');
      return {
        chunks: committed.length,
        files: committed.reduce((sum, chunk) => sum + chunk.fileCount, 0),
        counts: committed.reduce((sum, chunk) => addCounts(sum, chunk.counts), NO_RECORDS),
      };
    },
  };
}
export type LedgerActivities = ReturnType<typeof createLedgerActivities>;

export interface DedupChunksInput extends Slice {
  readonly spec: PipelineSpec;
  /** The turn's: commits are refused once a newer one is raised. */
  readonly epoch: number;
}

export interface DedupChunksResult {
  /** Of all the chunks, those committed by an earlier attempt included. */
  readonly counts: RecordCounts;
  /** What this attempt used. */
  readonly capacity: LedgerCapacity;
  readonly files: number;
}

export interface VoidCycleInput {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  readonly epoch: number;
  readonly keepQuarantine?: boolean;
}

export interface ChunkTotals {
  readonly chunks: number;
  readonly files: number;
  readonly counts: RecordCounts;
}
