import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { ChunkDatabase } from './chunk-database';
import { readChunkDocument } from './chunk-document';
import type { ChunkItem } from './chunk-item';
import { type DateLog, liveEntries, voidedAttempts } from './date-log';
import { expiresAtSeconds } from './expiry';
import { fingerprintHalvesSql } from './fingerprint-sql';
import type { LedgerReader } from './ledger-table';
import { committedChunksOf, type RebuildDependencies, rebuildSegment, type StoredAttempt } from './rebuild';
import { fetchSegments } from './segments';
import { sqlTextList } from './sql-text';

export interface SeenDependencies extends RebuildDependencies {
  readonly buckets: { readonly storage: string; readonly artifacts: string };
  /** Chunks that nobody is to count whatever the ledger says; absent: all count. */
  readonly counts?: (attempt: string) => boolean;
}

/** Parquet files with the fingerprints that count as seen, of all the dates in `logs`. */
export async function seenFiles(
  deps: SeenDependencies,
  table: LedgerReader,
  db: ChunkDatabase,
  spec: PipelineSpec,
  logs: readonly DateLog[],
  nowMs: number,
): Promise<readonly string[]> {
  const files: string[] = [];
  const dates = logs.map((log) => log.eventDate);
  let chunks: readonly ChunkItem[] | undefined;
  for (const log of logs) {
    const live = liveEntries(log, nowMs);
    const fetched = await fetchSegments(table, deps.cache, spec.dataset, log.eventDate, live);
    files.push(...fetched.files);
    // DynamoDB can have deleted nothing of a date before its records expire: most nights need no look at the chunks.
    if (fetched.incomplete.length === 0 && expiresAtSeconds(spec, log.eventDate) > nowMs / 1000) continue;
    chunks ??= await committedChunksOf(table, spec, dates);
    const complete = new Set(live.filter((entry) => !fetched.incomplete.includes(entry)).map((entry) => entry.attempt));
    for (const chunk of chunks) {
      if (complete.has(chunk.attempt) || !storedFor(chunk, log) || deps.counts?.(chunk.attempt) === false) continue;
      files.push(await rebuildSegment(deps, db, spec, storedAttempt(deps, chunk), log.eventDate));
    }
  }
  return files;
}

/**
 * Table `keep`: of the records that may be stored, those that nobody has stored before, and of equal ones the first: lowest
 * object, then line.
 */
export async function keepUnseen(db: ChunkDatabase, files: readonly string[]): Promise<void> {
  const { high, low } = fingerprintHalvesSql('_fingerprint');
  // An anti join, unlike NOT IN, lets DuckDB hash the chunk instead of the window, and spill.
  const unseen = files.length === 0 ? '' : `anti join read_parquet(${sqlTextList(files)}) seen on seen.high = ${high} and seen.low = ${low}`;
  await db.run(`create or replace table keep as
    select _fingerprint, any_value(_day) as _day, min(_position) as _position
    from record ${unseen} where _reason is null group by _fingerprint`);
}

function storedAttempt({ s3, buckets, signal }: SeenDependencies, { attempt, documentKey }: ChunkItem): StoredAttempt {
  return { attempt, bucket: buckets.storage, files: async () => (await readChunkDocument(s3, buckets.artifacts, documentKey, signal)).files };
}

/** Did the chunk store records of the date that still count? */
export function storedFor(chunk: ChunkItem, log: DateLog): boolean {
  return (chunk.dates[log.eventDate] ?? 0) > 0 && !voidedAttempts(log).has(chunk.attempt);
}
