import type { S3Client } from '@aws-sdk/client-s3';
import { Context } from '@temporalio/activity';
import { addCounts, NO_RECORDS } from '../../domain/conservation';
import type { CycleRef } from '../../domain/cycle';
import type { RawObject, RecordCounts } from '../../domain/documents';
import { ChunkLookup } from '../batches/manifest';

/** Within a third of the heartbeat time-out: a long DuckDB query must not look like a dead worker. */
const HEARTBEAT_MS = 5_000;

/** Chunks `[fromChunk, toChunk)` of a generation's manifest. */
export interface Slice {
  readonly cycle: CycleRef;
  readonly fromChunk: number;
  readonly toChunk: number;
}

/** One chunk on its way; `onStep` says between steps what is done. */
export interface SlicedChunk {
  readonly chunk: number;
  readonly objects: readonly RawObject[];
  readonly onStep: (step: string) => void;
}

/** Has `dedup` do the chunks of a slice one after another, in manifest order, heartbeating the chunk and the counts so far. */
export async function dedupSlice(
  { s3, artifacts }: { readonly s3: S3Client; readonly artifacts: string },
  slice: Slice,
  dedup: (chunk: SlicedChunk) => Promise<{ readonly counts: RecordCounts; readonly fileCount: number }>,
): Promise<{ readonly counts: RecordCounts; readonly files: number }> {
  const { fromChunk, toChunk } = slice;
  const lookup = await ChunkLookup.open(s3, artifacts, slice.cycle, Context.current().cancellationSignal);
  const progress = new Progress({ chunk: fromChunk, fromChunk, toChunk, step: 'start', counts: NO_RECORDS });
  let files = 0;
  try {
    for (let chunk = fromChunk; chunk < toChunk; chunk++) {
      const objects = await lookup.requiredObjectsOf(chunk);
      progress.set({ chunk });
      const done = await dedup({ chunk, objects, onStep: (step) => progress.set({ step }) });
      files += done.fileCount;
      progress.set({ counts: addCounts(progress.now.counts, done.counts) });
    }
    return { counts: progress.now.counts, files };
  } finally {
    progress.stop();
  }
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
