import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import { totalQuarantined } from '../../domain/conservation';
import type { ChunkDocument, StorageFile } from '../../domain/documents';
import { both, forEachParallel } from '../for-each-parallel';
import { type ChunkCounts, countRecords } from './chunk-counts';
import { putChunkDocument } from './chunk-document';
import { dateOfDay, type LocalFile, quarantineKey, storageKey, uploadFile, writeQuarantineFile, writeStorageFiles } from './chunk-files';
import type { ChunkItem } from './chunk-item';
import type { ChunkDependencies, ChunkInput } from './dedup-chunk';
import { announceAttempt } from './leftovers';
import type { ParsedChunk } from './parsed-chunk';
import { type OwnSegments, putOwnSegments } from './segments';

const UPLOADS_AT_ONCE = 4;

/** What one attempt wrote of a chunk. */
export interface Attempt {
  readonly item: ChunkItem;
  readonly own: readonly OwnSegments[];
}

/** Segments, files and document of what is kept, under a new id: nothing of it counts yet. */
export async function writeAttempt(deps: ChunkDependencies, input: ChunkInput, parsed: ParsedChunk): Promise<Attempt> {
  const { s3, buckets, table } = deps;
  const { cycle, spec, chunk, objects } = input;
  const { db } = parsed;
  const counts = await countRecords(db, objects, parsed);
  const attempt = newAttemptId();
  const dates = Object.fromEntries(counts.days.map(({ day, count }) => [dateOfDay(day), count]));
  await announceAttempt(table, { cycle, chunk, attempt, dates });
  const place = {
    storage: buckets.storage,
    quarantine: buckets.quarantine,
    storageKey: (eventDate: string, index: number) => storageKey(spec.dataset, eventDate, attempt, index),
    quarantineKey: quarantineKey(cycle, chunk, attempt),
  };
  deps.onStep('write files');
  const files = await writeChunkFiles(parsed, input, counts, place);
  // Not before: DuckDB has every core while it writes a file, and none while a file is on its way.
  const [own, document] = await both(
    putOwnSegments({ db, table, cache: deps.cache }, spec, attempt, counts.days, Date.now()),
    putChunkFiles({ s3, signal: table.signal }, input, files, { attempt, counts }),
  );
  const documentKey = await putChunkDocument(s3, buckets.artifacts, document, table.signal);
  return {
    item: {
      cycle,
      chunk,
      state: 'committed',
      attempt,
      counts: counts.total,
      fileCount: document.files.length,
      documentKey,
      dates,
    },
    own,
  };
}

/** What an attempt's files are named by: random, so that nothing is ever overwritten. */
export function newAttemptId(): string {
  return randomBytes(8).toString('hex');
}

/** Where an attempt's files go. */
export interface ChunkPlace {
  /** Bucket of the records, and that of the lines in quarantine. */
  readonly storage: string;
  readonly quarantine: string;
  /** For the `index`-th of the attempt's event dates, which are in order. */
  readonly storageKey: (eventDate: string, index: number) => string;
  readonly quarantineKey: string;
}

/** Files of an attempt on the local disk, each with its bucket. */
export interface ChunkFiles {
  readonly stored: readonly (StorageFile & LocalFile)[];
  readonly quarantined: readonly LocalFile[];
  readonly place: Pick<ChunkPlace, 'storage' | 'quarantine'>;
}

/** Writes the records that are kept and the lines in quarantine to the local disk. */
export async function writeChunkFiles(
  { db, dir }: ParsedChunk,
  { spec, cycle }: Pick<ChunkInput, 'spec' | 'cycle'>,
  { days, total }: ChunkCounts,
  place: ChunkPlace,
): Promise<ChunkFiles> {
  const stored = await writeStorageFiles(db, spec, cycle, dir, days, place.storageKey);
  const quarantined = totalQuarantined(total.quarantined) === 0 ? [] : [await writeQuarantineFile(db, dir, place.quarantineKey)];
  return { stored, quarantined, place };
}

/** Puts a chunk's files, each gone from the disk once it is put. @returns the document that names them, which is not written yet */
export async function putChunkFiles(
  { s3, signal }: { readonly s3: S3Client; readonly signal: AbortSignal },
  { cycle, chunk, objects }: Pick<ChunkInput, 'cycle' | 'chunk' | 'objects'>,
  { stored, quarantined, place }: ChunkFiles,
  { attempt, counts }: { readonly attempt: string; readonly counts: ChunkCounts },
): Promise<ChunkDocument> {
  const uploads: readonly (readonly [bucket: string, file: LocalFile])[] = [
    ...stored.map((file) => [place.storage, file] as const),
    ...quarantined.map((file) => [place.quarantine, file] as const),
  ];
  await forEachParallel(uploads, UPLOADS_AT_ONCE, async ([bucket, file]) => {
    await uploadFile(s3, bucket, file, signal);
    await rm(file.path);
  });
  return {
    cycle,
    chunk,
    attempt,
    counts: counts.total,
    objects: objects.map((object, index) => ({ ...object, counts: counts.byObject[index] ?? counts.total })),
    files: stored.map(({ key, eventDate, rowCount, sizeBytes }) => ({ key, eventDate, rowCount, sizeBytes })),
    quarantineFiles: quarantined.map(({ key }) => key),
  };
}
