import { join } from 'node:path';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import { Context, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { addCounts, NO_RECORDS } from '../domain/conservation';
import { type CycleRef, generationPrefix } from '../domain/cycle';
import type { RecordCounts } from '../domain/documents';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { manifestPointer, readManifest } from './batches/manifest';
import { dedupChunk } from './ledger/dedup-chunk';
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

const SEGMENT_CACHE_BYTES = 8 * 1024 ** 3;
/** Within a third of the heartbeat time-out: a long DuckDB query must not look like a dead worker. */
const HEARTBEAT_MS = 5_000;

/** Activities around the dedup ledger: storage is the files of its committed, unvoided chunks (docs/ARCHITECTURE.md). */
export function createLedgerActivities(deps: LedgerDependencies) {
  const cache = new SegmentCache(join(deps.workDir, 'segments'), deps.segmentCacheBytes ?? SEGMENT_CACHE_BYTES);
  const openTable = () => new LedgerTable(deps.dynamodb, deps.ledgerTable, Context.current().cancellationSignal);

  return {
    /**
     * Stores the records of chunks `[fromChunk, toChunk)` that nobody has stored within the window, chunk after chunk in manifest
     * order. Idempotent by (cycle, generation, chunk). Heartbeats the chunk and the counts so far.
     * @throws see `dedupChunk`
     */
    async dedupChunks(input: DedupChunksInput): Promise<DedupChunksResult> {
      const table = openTable();
      const manifest = await requiredManifest(deps, input.cycle, table.signal);
      const progress = new Progress({
        chunk: input.fromChunk,
        fromChunk: input.fromChunk,
        toChunk: input.toChunk,
        step: 'start',
        counts: NO_RECORDS,
      });
      let files = 0;
      try {
        for (let chunk = input.fromChunk; chunk < input.toChunk; chunk++) {
          const range = manifest.chunks[chunk];
          if (range === undefined) throw noSuchChunk(input, manifest.chunks.length);
          progress.set({ chunk });
          const item = await dedupChunk(
            {
              ...deps,
              table,
              cache,
              workDir: join(deps.workDir, 'chunks'),
              limits: deps.rawLimits ?? RAW_LIMITS,
              onStep: (step) => progress.set({ step }),
            },
            { ...input, chunk, objects: manifest.objects.slice(range.from, range.to) },
          );
          files += item.fileCount;
          progress.set({ counts: addCounts(progress.now.counts, item.counts) });
        }
        await cache.trim(Date.now());
        log.info('Chunks deduplicated', {
          fromChunk: input.fromChunk,
          toChunk: input.toChunk,
          ...progress.now.counts,
          ...table.capacity,
        });
        return { counts: progress.now.counts, capacity: table.capacity, files };
      } finally {
        progress.stop();
      }
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

export interface DedupChunksInput {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  readonly fromChunk: number;
  readonly toChunk: number;
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

interface DedupProgress {
  readonly chunk: number;
  readonly fromChunk: number;
  readonly toChunk: number;
  readonly step: string;
  readonly counts: RecordCounts;
}

/** Heartbeats at each step and in between. The steps themselves are bounded: downloads by idle time, queries by their data. */
class Progress {
  private readonly context = Context.current();
  private readonly timer = setInterval(() => this.beat(), HEARTBEAT_MS);

  constructor(public now: DedupProgress) {}

  set(change: Partial<DedupProgress>): void {
    this.now = { ...this.now, ...change };
    this.beat();
  }

  /** With the numbers that a bar is drawn from. */
  private beat(): void {
    const { chunk, fromChunk, toChunk, step } = this.now;
    this.context.heartbeat({ ...this.now, done: chunk - fromChunk, total: toChunk - fromChunk, unit: `chunks, ${step}` });
  }

  stop(): void {
    clearInterval(this.timer);
  }
}

async function requiredManifest(deps: LedgerDependencies, cycle: CycleRef, signal: AbortSignal) {
  const pointer = manifestPointer(deps.buckets.artifacts, cycle);
  const manifest = await readManifest(deps.s3, pointer, signal);
  if (manifest !== undefined) return manifest;
  throw ApplicationFailure.nonRetryable(
    `The manifest s3://${pointer.bucket}/${pointer.key} is not there: discover the cycle's batches first`,
    FailureType.ObjectVanished,
  );
}

function noSuchChunk(input: DedupChunksInput, chunkCount: number): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `Chunks ${input.fromChunk} to ${input.toChunk} of ${generationPrefix(input.cycle)}: its manifest has ${chunkCount}`,
    FailureType.LedgerRefused,
  );
}
