import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { log } from '@temporalio/activity';
import type { ChunkDocument } from '../../domain/documents';
import { countRecords } from './chunk-counts';
import type { ChunkDatabase } from './chunk-database';
import { putChunkDocument } from './chunk-document';
import { type LocalFile, uploadFile, writeQuarantineFile, writeStorageFiles } from './chunk-files';
import type { ChunkItem } from './chunk-item';
import type { ChunkDependencies, ChunkInput } from './dedup-chunk';
import { forEachParallel } from '../for-each-parallel';
import { deleteSegments, type OwnSegments, putOwnSegments } from './segments';

const UPLOADS_AT_ONCE = 4;

/** What one attempt wrote of a chunk. */
export interface Attempt {
  readonly item: ChunkItem;
  readonly own: readonly OwnSegments[];
  readonly document: ChunkDocument;
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
  const dates = Object.fromEntries(own.map(({ eventDate, count }) => [eventDate, count]));
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
    document,
  };
}

/** The transaction was refused, so nothing can name this attempt any more. What cannot be removed now costs only space. */
export async function discardAttempt(
  deps: ChunkDependencies,
  dataset: string,
  { own, document, item }: Attempt,
): Promise<void> {
  const { s3, buckets, table } = deps;
  try {
    await deleteSegments(table, dataset, item.attempt, own);
    for (const file of document.files)
      await s3.send(new DeleteObjectCommand({ Bucket: buckets.storage, Key: file.key }), { abortSignal: table.signal });
    for (const Key of document.quarantineFiles)
      await s3.send(new DeleteObjectCommand({ Bucket: buckets.quarantine, Key }), { abortSignal: table.signal });
    await s3.send(new DeleteObjectCommand({ Bucket: buckets.artifacts, Key: item.documentKey }), {
      abortSignal: table.signal,
    });
  } catch (error) {
    table.signal.throwIfAborted();
    log.warn('Leftovers of a refused attempt were not removed', { attempt: item.attempt, error: String(error) });
  }
}
