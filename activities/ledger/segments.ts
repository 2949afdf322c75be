import type { PipelineSpec } from '../../domain/pipeline-spec';
import { type ChunkDatabase } from './chunk-database';
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
/** Segments that are in memory at once on their way out of DuckDB. */
const SEGMENTS_PER_EXPORT = 16;

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
  db: ChunkDatabase,
  table: LedgerTable,
  cache: SegmentCache,
  spec: PipelineSpec,
  attempt: string,
  nowMs: number,
): Promise<readonly OwnSegments[]> {
  await db.run(`create or replace table segment as select _day, _fingerprint,
    (row_number() over (partition by _day order by _fingerprint) - 1) // ${FINGERPRINTS_PER_SEGMENT} as _index from keep`);
  const dates = (await db.rows('select _day, max(_index) + 1, count(*) from segment group by _day order by _day')).map(
    ([day, segments, count]) => ({ day: Number(day), segments: Number(segments), count: Number(count) }),
  );
  for (const { day, segments } of dates) {
    const eventDate = dateOfDay(day);
    for (let from = 0; from < segments; from += SEGMENTS_PER_EXPORT) {
      const exported = await exportSegments(db, day, from, from + SEGMENTS_PER_EXPORT);
      await forEachParallel(exported, PUTS_AT_ONCE, async ({ index, bytes }) => {
        const { pk, sk } = segmentKey(spec.dataset, eventDate, attempt, index);
        await table.put({
          pk: { S: pk },
          sk: { S: sk },
          fingerprints: { B: bytes },
          ttl: { N: String(segmentTtlSeconds(spec, eventDate, nowMs)) },
        });
        await cache.write(cache.pathOf(spec.dataset, eventDate, segmentName(attempt, index)), segmentAsParquet(bytes));
      });
    }
  }
  return dates.map(({ day, segments, count }) => ({ eventDate: dateOfDay(day), segments, count }));
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

async function exportSegments(
  db: ChunkDatabase,
  day: number,
  from: number,
  to: number,
): Promise<readonly { readonly index: number; readonly bytes: Uint8Array }[]> {
  const rows = await db.blobs(`select _index, unhex(string_agg(hex(_fingerprint::bit::blob), '' order by _fingerprint))
    from segment where _day = ${day} and _index >= ${from} and _index < ${to} group by _index order by _index`);
  for (const { bytes } of rows) {
    if (bytes.length % FINGERPRINT_BYTES !== 0)
      throw new RangeError(`A segment of ${bytes.length} bytes is no whole number of fingerprints`);
  }
  return rows.map(({ key, bytes }) => ({ index: key, bytes }));
}
