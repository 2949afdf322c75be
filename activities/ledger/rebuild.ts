import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import { longestIntervalHours } from '../../domain/calendar';
import { compactInstant, toRfc3339 } from '../../domain/data-interval';
import type { StorageFile } from '../../domain/documents';
import { FailureType } from '../../domain/failure-type';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { DAY_MS, HOUR_MS } from '../batches/arrival-hours';
import { downloadObject } from '../s3-download';
import type { ChunkDatabase } from './chunk-database';
import { type ChunkItem, decodeChunkItem, isChunkItem } from './chunk-item';
import { FINGERPRINT_BYTES } from './fingerprint-sql';
import { chunksPartition } from './keys';
import type { LedgerReader } from './ledger-table';
import { keyFingerprintSql } from './record-sql';
import type { SegmentCache } from './segment-cache';
import { appendNumbers } from './segment-file';
import { sqlTextList } from './sql-text';

/**
 * Committed chunks of the dataset that can have stored records of these dates: storage is the truth, the ledger's log and
 * segments its cache, which DynamoDB has deleted when a backfill comes weeks later.
 */
export async function committedChunksOf(
  table: LedgerReader,
  spec: PipelineSpec,
  eventDates: readonly string[],
): Promise<readonly ChunkItem[]> {
  const [first, last] = [eventDates.reduce((a, b) => (a < b ? a : b)), eventDates.reduce((a, b) => (a > b ? a : b))];
  const at = (ms: number) => compactInstant(toRfc3339(new Date(ms)));
  // A record arrives at most the tolerance (a day) before its event date and the lateness after it, and is taken by a cycle
  // at most an interval and again the lateness later; one that ends within its arrival hour may take it, too.
  const from = at(Date.parse(first) - DAY_MS - HOUR_MS);
  const to = at(Date.parse(last) + (2 * spec.dedup.latenessDays + 2) * DAY_MS + longestIntervalHours(spec) * HOUR_MS);
  const found: ChunkItem[] = [];
  for await (const item of table.query(chunksPartition(spec.dataset), from, `${to}~`)) {
    if (isChunkItem(item) && item.state?.S === 'committed') found.push(decodeChunkItem(spec.dataset, item));
  }
  return found;
}

export interface RebuildDependencies {
  readonly s3: S3Client;
  readonly cache: SegmentCache;
  readonly dir: string;
  readonly signal: AbortSignal;
}

/** What one attempt at a chunk stored for a date, wherever it did. */
export interface StoredAttempt {
  readonly attempt: string;
  readonly bucket: string;
  /** Records of the date. */
  readonly count: number;
  readonly files: () => Promise<readonly StorageFile[]>;
}

/**
 * Fingerprints of what an attempt stored for a date, from its files, as the file in the cache that its segments would have become: who asks
 * for these next finds it.
 * @throws `CountsDoNotAddUp`, not retryable, when the files hold more or fewer records than were committed
 */
export async function rebuildSegment(
  deps: RebuildDependencies,
  db: ChunkDatabase,
  spec: PipelineSpec,
  stored: StoredAttempt,
  eventDate: string,
): Promise<string> {
  const { attempt, bucket, count } = stored;
  const cached = deps.cache.pathOf(spec.dataset, eventDate, attempt);
  if (await deps.cache.touch(cached, count * FINGERPRINT_BYTES)) return cached;
  const locals: string[] = [];
  for (const file of (await stored.files()).filter((each) => each.eventDate === eventDate)) {
    const path = join(deps.dir, `rebuild-${locals.length}.parquet`);
    await downloadObject(deps.s3, { bucket, key: file.key, sizeBytes: file.sizeBytes }, path, {
      signal: deps.signal,
    });
    locals.push(path);
  }
  const fingerprints = db.numbers(`select ${keyFingerprintSql(spec)} as fingerprint from read_parquet(${sqlTextList(locals)}) order by fingerprint`);
  if (!(await deps.cache.fill(cached, count * FINGERPRINT_BYTES, (file) => appendNumbers(file, fingerprints)))) {
    throw ApplicationFailure.nonRetryable(
      `Storage files of attempt ${attempt} in bucket ${bucket} do not hold the ${count} records of ${eventDate} that were committed: nothing can be compared with them`,
      FailureType.CountsDoNotAddUp,
    );
  }
  for (const path of locals) await rm(path, { force: true });
  return cached;
}
