import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { ChunkDatabase } from './chunk-database';
import { readChunkDocument } from './chunk-document';
import type { ChunkItem } from './chunk-item';
import { type DateLog, liveEntries, voidedAttempts } from './date-log';
import { expiresAtSeconds } from './expiry';
import { forEachParallel } from '../for-each-parallel';
import { FingerprintSet, rangesFor, withinRangeSql } from './fingerprint-set';
import type { LedgerReader } from './ledger-table';
import { committedChunksOf, type RebuildDependencies, rebuildSegment, type StoredAttempt } from './rebuild';
import { ReadingRoom } from './segment-file';
import { fetchSegments } from './segments';

const READS_AT_ONCE = 4;

export interface SeenDependencies extends RebuildDependencies {
  readonly buckets: { readonly storage: string; readonly artifacts: string };
  /** Chunks that nobody is to count whatever the ledger says; absent: all count. */
  readonly counts?: (attempt: string) => boolean;
}

/** Files of the cache with the fingerprints that count as seen, of all the dates in `logs`. */
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
      files.push(await rebuildSegment(deps, db, spec, storedAttempt(deps, chunk, log.eventDate), log.eventDate));
    }
  }
  return files;
}

/**
 * Table `keep`: of the records that may be stored, those that nobody has stored before, and of equal ones the first: lowest
 * object, then line.
 * @param files - of `seenFiles`
 * @param mostInMemory - fingerprints of the chunk; of a larger chunk part after part is compared, each with all files
 */
export async function keepUnseen(db: ChunkDatabase, files: readonly string[], mostInMemory?: number): Promise<void> {
  await db.run('create or replace table listed (fingerprint uhugeint)');
  const join = files.length === 0 ? 'anti' : await list(db, files, mostInMemory);
  await db.run(`create or replace table keep as
    select _fingerprint, any_value(_day) as _day, min(_position) as _position
    from record ${join} join listed on listed.fingerprint = _fingerprint where _reason is null group by _fingerprint`);
}

/** Fills the table `listed` with the chunk's fingerprints that the files have too, or with the others where these are fewer. */
async function list(db: ChunkDatabase, files: readonly string[], mostInMemory: number | undefined): Promise<'anti' | 'semi'> {
  const rooms: ReadingRoom[] = [];
  const countOf = async (condition: string) => Number((await db.rows(`select count(*) from record where ${condition}`))[0]?.[0]);
  const sound = '_reason is null';
  const count = await countOf(sound);
  const ranges = rangesFor(count, mostInMemory);
  let join: 'anti' | 'semi' = 'anti';
  for (const range of ranges) {
    const isAll = ranges.length === 1;
    const condition = isAll ? sound : `${sound} and ${withinRangeSql('_fingerprint', range)}`;
    const set = await FingerprintSet.of(db.numbers(`select _fingerprint from record where ${condition} order by _fingerprint`), isAll ? count : await countOf(condition), range);
    await forEachParallel(files, READS_AT_ONCE, async (path) => {
      const room = rooms.pop() ?? new ReadingRoom();
      await room.read(path, (words) => set.meet(words));
      rooms.push(room);
    });
    if (isAll && set.isMostlyMet) join = 'semi';
    await db.appendNumbers('listed', (blockCount) => set.numbers(join === 'anti' ? 'met' : 'unmet', blockCount));
  }
  return join;
}

function storedAttempt({ s3, buckets, signal }: SeenDependencies, { attempt, dates, documentKey }: ChunkItem, eventDate: string): StoredAttempt {
  return { attempt, bucket: buckets.storage, count: dates[eventDate] ?? 0, files: async () => (await readChunkDocument(s3, buckets.artifacts, documentKey, signal)).files };
}

/** Did the chunk store records of the date that still count? */
export function storedFor(chunk: ChunkItem, log: DateLog): boolean {
  return (chunk.dates[log.eventDate] ?? 0) > 0 && !voidedAttempts(log).has(chunk.attempt);
}
