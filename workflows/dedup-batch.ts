import type { Activities } from '../activities';
import { addCounts, NO_RECORDS, totalQuarantined } from '../domain/conservation';
import type { CycleRef } from '../domain/cycle';
import type { RecordCounts } from '../domain/documents';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { dataStep } from './activity-options';
import { describedActivities } from './described-activities';

const { dedupChunks } = describedActivities(dataStep);

/** A cycle of 100,000 objects stays under 2,000 history events (design section 1), whatever its number of chunks. */
const MOST_SLICES = 100;
const LEAST_CHUNKS_A_SLICE = 8;

export interface DiscoveredBatch {
  readonly objectCount: number;
  readonly sizeBytes: number;
  readonly chunkCount: number;
}

/** Deduplicates a batch chunk by chunk in manifest order, a slice of chunks an activity. @param dedup - the activity, where it is another */
export async function dedupBatch(
  spec: PipelineSpec,
  cycle: CycleRef,
  batch: DiscoveredBatch,
  epoch: number,
  onProgress: (soFar: RecordCounts) => void,
  dedup: (slice: Parameters<Activities['dedupChunks']>[0]) => Promise<{ readonly counts: RecordCounts }> = dedupChunks,
): Promise<RecordCounts> {
  const chunksASlice = Math.max(LEAST_CHUNKS_A_SLICE, Math.ceil(batch.chunkCount / MOST_SLICES));
  let counts = NO_RECORDS;
  for (let fromChunk = 0; fromChunk < batch.chunkCount; fromChunk += chunksASlice) {
    const toChunk = Math.min(fromChunk + chunksASlice, batch.chunkCount);
    const slice = await dedup({ cycle, spec, fromChunk, toChunk, epoch });
    counts = addCounts(counts, slice.counts);
    onProgress(counts);
  }
  return counts;
}

export function discoverSentence(batch: DiscoveredBatch): string {
  return `${batch.objectCount} objects, ${(batch.sizeBytes / 1024 ** 2).toFixed(1)} MiB, ${batch.chunkCount} chunks`;
}

export function dedupSentence(counts: RecordCounts): string {
  const reasons = Object.entries(counts.quarantined).map(([reason, count]) => `${reason} ${count}`);
  return (
    `read ${counts.read} = stored ${counts.stored} + duplicates ${counts.duplicates} + quarantined ${totalQuarantined(counts.quarantined)}` +
    (reasons.length > 0 ? ` (${reasons.join(', ')})` : '')
  );
}
