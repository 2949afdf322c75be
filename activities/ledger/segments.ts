import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { KeptDay } from './chunk-counts';
import { type ChunkDatabase, WORDS_A_NUMBER } from './chunk-database';
import { dateOfDay } from './chunk-files';
import type { LogEntry } from './date-log';
import { segmentTtlSeconds } from './expiry';
import { FINGERPRINT_BYTES } from './fingerprint-sql';
import { forEachParallel } from '../for-each-parallel';
import { segmentKey } from './keys';
import type { LedgerReader, LedgerTable } from './ledger-table';
import type { SegmentCache } from './segment-cache';
import { segmentAsParquet } from './segment-file';

/** With its keys an item stays within 350 KiB: 350 write units, and room below DynamoDB's 400 KB. */
export const FINGERPRINTS_PER_SEGMENT = 22_384;
const PUTS_AT_ONCE = 4;
/** Some 5.6 MB an answer of BatchGetItem's 16 MB, so that parsing one does not hold up heartbeats. */
const SEGMENTS_PER_READ = 16;

/** What an attempt put for one event date. */
export interface OwnSegments {
  readonly eventDate: string;
  readonly segments: number;
  readonly count: number;
}

/**
 * Puts the fingerprints of `keep` as sorted segments under the attempt's id, and keeps them in the cache. Uncommitted segments
 * are read by nobody: only a log entry makes them count. Nobody deletes them either: that costs as much as writing them did,
 * and DynamoDB's TTL does it for nothing.
 */
export async function putOwnSegments(
  { db, table, cache }: { readonly db: ChunkDatabase; readonly table: LedgerTable; readonly cache: SegmentCache },
  spec: PipelineSpec,
  attempt: string,
  days: readonly KeptDay[],
  nowMs: number,
): Promise<readonly OwnSegments[]> {
  await forEachParallel(sortedSegments(db, days, attempt), PUTS_AT_ONCE, (segment) => putSegment(table, cache, spec, segment, nowMs));
  return days.map(({ day, count }) => ({ eventDate: dateOfDay(day), segments: Math.ceil(count / FINGERPRINTS_PER_SEGMENT), count }));
}

interface Segment {
  readonly eventDate: string;
  readonly attempt: string;
  readonly index: number;
  /** Sorted, of 16 bytes each, most significant first. */
  readonly fingerprints: Buffer;
}

/** Puts a segment, and keeps it in the cache. Idempotent by (attempt, date, index). */
async function putSegment(table: LedgerTable, cache: SegmentCache, spec: PipelineSpec, { eventDate, attempt, index, fingerprints }: Segment, nowMs: number): Promise<void> {
  const { pk, sk } = segmentKey(spec.dataset, eventDate, attempt, index);
  await table.put({
    pk: { S: pk },
    sk: { S: sk },
    fingerprints: { B: fingerprints },
    ttl: { N: String(segmentTtlSeconds(spec, eventDate, nowMs)) },
  });
  await cache.write(cache.pathOf(spec.dataset, eventDate, segmentName(attempt, index)), segmentAsParquet(fingerprints));
}

export interface FetchedSegments {
  /** Parquet files that hold the entries' fingerprints. */
  readonly files: readonly string[];
  /** Entries of which a segment is no longer in the table. */
  readonly incomplete: readonly LogEntry[];
}

/** Makes sure that the segments of a date's entries are in the cache; reads from the table only those that are not. */
export async function fetchSegments(
  table: LedgerReader,
  cache: SegmentCache,
  dataset: string,
  eventDate: string,
  entries: readonly LogEntry[],
): Promise<FetchedSegments> {
  const wanted = entries.flatMap((entry) =>
    Array.from({ length: entry.segments }, (_, index) => ({
      entry,
      key: segmentKey(dataset, eventDate, entry.attempt, index),
      path: cache.pathOf(dataset, eventDate, segmentName(entry.attempt, index)),
    })),
  );
  const missing: typeof wanted = [];
  for (const each of wanted) if (!(await cache.touch(each.path))) missing.push(each);
  const incomplete = new Set<LogEntry>();
  for (let from = 0; from < missing.length; from += SEGMENTS_PER_READ) {
    const batch = missing.slice(from, from + SEGMENTS_PER_READ);
    const items = new Map((await table.getMany(batch.map(({ key }) => key))).map((item) => [item.pk?.S, item]));
    for (const { entry, key, path } of batch) {
      const bytes = items.get(key.pk)?.fingerprints?.B;
      if (bytes === undefined) incomplete.add(entry);
      else await cache.write(path, segmentAsParquet(bytes));
    }
  }
  return {
    files: wanted.filter(({ entry }) => !incomplete.has(entry)).map(({ path }) => path),
    incomplete: [...incomplete],
  };
}

function segmentName(attempt: string, index: number): string {
  return `${attempt}-${index}`;
}

/** Cut from one sorted pass over each date, as fast as they are taken. */
async function* sortedSegments(
  db: ChunkDatabase,
  days: readonly KeptDay[],
  attempt: string,
): AsyncGenerator<Segment> {
  for (const { day, count } of days) {
    const eventDate = dateOfDay(day);
    let [index, filled, found] = [0, 0, 0];
    let fingerprints: Buffer | undefined;
    for await (const block of db.numbers(`select _fingerprint from keep where _day = ${day} order by _fingerprint`)) {
      const numbers = block.length / WORDS_A_NUMBER;
      found += numbers;
      for (let from = 0; from < numbers && found <= count; ) {
        const size = Math.min(count - index * FINGERPRINTS_PER_SEGMENT, FINGERPRINTS_PER_SEGMENT);
        fingerprints ??= Buffer.allocUnsafeSlow(size * FINGERPRINT_BYTES);
        const to = Math.min(numbers, from + size - filled);
        putMostSignificantFirst(block.subarray(from * WORDS_A_NUMBER, to * WORDS_A_NUMBER), fingerprints.subarray(filled * FINGERPRINT_BYTES));
        [filled, from] = [filled + to - from, to];
        if (filled === size) {
          yield { eventDate, attempt, index, fingerprints };
          [index, filled, fingerprints] = [index + 1, 0, undefined];
        }
      }
    }
    if (found !== count) throw new RangeError(`Of ${eventDate} ${count} fingerprints are kept, but ${found} were sorted for its segments`);
  }
}

/** Puts numbers, their words least significant first, into the bytes of `into`. */
function putMostSignificantFirst(words: Uint32Array, into: Buffer): void {
  const target = new Uint32Array(into.buffer, into.byteOffset, words.length);
  for (let from = 0; from < words.length; from += WORDS_A_NUMBER)
    for (let word = 0; word < WORDS_A_NUMBER; word++) target[from + word] = words[from + WORDS_A_NUMBER - 1 - word] ?? 0;
  into.subarray(0, words.byteLength).swap32();
}
