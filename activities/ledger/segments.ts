import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { KeptDay } from './chunk-counts';
import { type ChunkDatabase, WORDS_A_NUMBER } from './chunk-database';
import { dateOfDay } from './chunk-files';
import type { LogEntry } from './date-log';
import { segmentTtlSeconds } from './expiry';
import { FINGERPRINT_BYTES } from './fingerprint-sql';
import { forEachParallel } from '../for-each-parallel';
import { type LedgerKey, segmentKey } from './keys';
import type { LedgerReader, LedgerTable } from './ledger-table';
import type { SegmentCache } from './segment-cache';
import { putMostSignificantFirst } from './segment-file';

/** With its keys an item stays within 350 KiB: 350 write units, and room below DynamoDB's 400 KB. */
export const FINGERPRINTS_PER_SEGMENT = 22_384;
/** Of a date: most nights have one or two. */
const PUTS_AT_ONCE = 4;
const DATES_AT_ONCE = 2;
/** Some 5.6 MB an answer of BatchGetItem's 16 MB, so that parsing one does not hold up heartbeats. */
const SEGMENTS_PER_READ = 16;
const NOTHING = Buffer.alloc(0);

/** What an attempt put for one event date. */
export interface OwnSegments {
  readonly eventDate: string;
  readonly segments: number;
  readonly count: number;
}

/**
 * Puts the fingerprints of `keep` as sorted segments under the attempt's id, and keeps them in the cache. Idempotent by (attempt, date,
 * index). Uncommitted segments are read by nobody: only a log entry makes them count. Nobody deletes them either: that costs as much as
 * writing them did, and DynamoDB's TTL does it for nothing.
 */
export async function putOwnSegments(
  { db, table, cache }: { readonly db: ChunkDatabase; readonly table: LedgerTable; readonly cache: SegmentCache },
  spec: PipelineSpec,
  attempt: string,
  days: readonly KeptDay[],
  nowMs: number,
): Promise<readonly OwnSegments[]> {
  await forEachParallel(days, DATES_AT_ONCE, async (kept) => {
    const eventDate = dateOfDay(kept.day);
    const ttl = String(segmentTtlSeconds(spec, eventDate, nowMs));
    await cache.fill(cache.pathOf(spec.dataset, eventDate, attempt), kept.count * FINGERPRINT_BYTES, (file) =>
      forEachParallel(sortedSegments(db, kept), PUTS_AT_ONCE, async ({ index, fingerprints }) => {
        const { pk, sk } = segmentKey(spec.dataset, eventDate, attempt, index);
        await table.put({ pk: { S: pk }, sk: { S: sk }, fingerprints: { B: fingerprints }, ttl: { N: ttl } });
        await file.write(fingerprints, 0, fingerprints.length, index * FINGERPRINTS_PER_SEGMENT * FINGERPRINT_BYTES);
      }),
    );
  });
  return days.map(({ day, count }) => ({ eventDate: dateOfDay(day), segments: Math.ceil(count / FINGERPRINTS_PER_SEGMENT), count }));
}

export interface FetchedSegments {
  /** Files of the cache that hold the entries' fingerprints. */
  readonly files: readonly string[];
  /** Entries of which a segment is not, or no longer, whole in the table. */
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
  const fileOf = ({ attempt, count }: LogEntry) => [cache.pathOf(dataset, eventDate, attempt), count * FINGERPRINT_BYTES] as const;
  const missing: LogEntry[] = [];
  for (const entry of entries) if (!(await cache.touch(...fileOf(entry)))) missing.push(entry);
  const keys = missing.flatMap(({ attempt, segments }) => Array.from({ length: segments }, (_, index) => segmentKey(dataset, eventDate, attempt, index)));
  const segments = readSegments(table, keys);
  const incomplete = new Set<LogEntry>();
  for (const entry of missing) {
    const isWhole = await cache.fill(...fileOf(entry), async (file) => {
      for (let index = 0; index < entry.segments; index++) await file.appendFile((await segments.next()).value ?? NOTHING);
    });
    if (!isWhole) incomplete.add(entry);
  }
  return { files: entries.filter((entry) => !incomplete.has(entry)).map((entry) => fileOf(entry)[0]), incomplete: [...incomplete] };
}

/** Their bytes in the order of their keys, none for one that is not there. */
async function* readSegments(table: LedgerReader, keys: readonly LedgerKey[]): AsyncGenerator<Uint8Array, undefined> {
  for (let from = 0; from < keys.length; from += SEGMENTS_PER_READ) {
    const batch = keys.slice(from, from + SEGMENTS_PER_READ);
    const items = new Map((await table.getMany(batch)).map((item) => [item.pk?.S, item.fingerprints?.B]));
    for (const { pk } of batch) yield items.get(pk) ?? NOTHING;
  }
}

interface Segment {
  readonly index: number;
  /** Sorted, of 16 bytes each, most significant first. */
  readonly fingerprints: Buffer;
}

/** Cut from one sorted pass over a date, as fast as they are taken. */
async function* sortedSegments(db: ChunkDatabase, { day, count }: KeptDay): AsyncGenerator<Segment> {
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
        yield { index, fingerprints };
        [index, filled, fingerprints] = [index + 1, 0, undefined];
      }
    }
  }
  if (found !== count) throw new RangeError(`Of ${dateOfDay(day)} ${count} fingerprints are kept, but ${found} were sorted for its segments`);
}
