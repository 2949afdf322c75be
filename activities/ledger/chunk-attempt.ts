import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { ChunkDocument } from '../../domain/documents';
import { countRecords } from './chunk-counts';
import type { ChunkDatabase } from './chunk-database';
import { putChunkDocument } from './chunk-document';
import { dateOfDay, type LocalFile, uploadFile, writeQuarantineFile, writeStorageFiles } from './chunk-files';
import type { ChunkItem } from './chunk-item';
import type { ChunkDependencies, ChunkInput } from './dedup-chunk';
import { forEachParallel } from '../for-each-parallel';
import { announceAttempt } from './leftovers';
import { type OwnSegments, putOwnSegments } from './segments';

const UPLOADS_AT_ONCE = 4;

/** What one attempt wrote of a chunk. */
export interface Attempt {
  readonly item: ChunkItem;
  readonly own: readonly OwnSegments[];
}

/** Segments, files and document of what is kept, under a new id: nothing of it counts yet. */
export async function writeAttempt(
  deps: ChunkDependencies,
  { cycle, spec, chunk, objects }: ChunkInput,
  db: ChunkDatabase,
  dir: string,
  readCounts: readonly number[],
): Promise<Attempt> {
  const { s3, buckets, table } = deps;
  const counts = await countRecords(db, objects, readCounts);
  const attempt = randomBytes(8).toString('hex');
  const days = await db.rows('select _day, count(*) from keep group by _day order by _day');
  const dates = Object.fromEntries(days.map(([day, count]) => [dateOfDay(Number(day)), Number(count)]));
  await announceAttempt(table, { cycle, chunk, attempt, dates });
  deps.onStep('put segments');
  const own = await putOwnSegments(db, table, deps.cache, spec, attempt, Date.now());
  deps.onStep('write files');
  const stored = await writeStorageFiles(db, spec, cycle, attempt, dir);
  const quarantined = await writeQuarantineFile(db, cycle, chunk, attempt, dir);
  const uploads: readonly (readonly [bucket: string, file: LocalFile])[] = [
    ...stored.map((file) => [buckets.storage, file] as const),
    ...quarantined.map((file) => [buckets.quarantine, file] as const),
  ];
  await forEachParallel(uploads, UPLOADS_AT_ONCE, async ([bucket, file]) => {
    await uploadFile(s3, bucket, file, table.signal);
    await rm(file.path);
  });
  const document: ChunkDocument = {
    cycle,
    chunk,
    attempt,
    counts: counts.total,
    objects: objects.map((object, index) => ({ ...object, counts: counts.byObject[index] ?? counts.total })),
    files: stored.map(({ key, eventDate, rowCount, sizeBytes }) => ({ key, eventDate, rowCount, sizeBytes })),
    quarantineFiles: quarantined.map(({ key }) => key),
  };
  const documentKey = await putChunkDocument(s3, buckets.artifacts, document, table.signal);
  return {
    item: {
      cycle,
      chunk,
      state: 'committed',
      attempt,
      counts: counts.total,
      fileCount: stored.length,
      documentKey,
      dates,
    },
    own,
  };
}
