import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import type { RawObject } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { eventWindowMs } from '../batches/arrival-hours';
import { downloadObject } from '../s3-download';
import type { ChunkDatabase } from './chunk-database';
import { forEachParallel } from '../for-each-parallel';
import type { RawLimits } from './line-splitter';
import { parquetRows } from './parquet-rows';
import { RawLineFile } from './raw-lines';
import { CREATE_OBJECT_TABLE, createRecordTable, createRecordView } from './record-sql';

const DOWNLOADS_AT_ONCE = 8;
/** Bytes of objects on disk at once, before their lines are collected; one object may be larger. */
const DOWNLOAD_BATCH_BYTES = 256 * 1024 ** 2;

export interface CollectDependencies {
  readonly s3: S3Client;
  readonly rawBucket: string;
  /** Scratch space of the chunk. */
  readonly dir: string;
  readonly limits: RawLimits;
  /** DuckDB's limit, for one Parquet object at a time. */
  readonly memoryMb: number;
  readonly signal: AbortSignal;
  readonly onProgress: (objectsRead: number) => void;
}

/** A chunk's records on the local disk. */
export interface CollectedRecords {
  /** Records of each object, as counted before any parsing. */
  readonly counts: readonly number[];
  /** With the rows of Parquet objects that needed no judge. */
  readonly soundFiles: readonly string[];
}

/** Downloads the objects in their order, a batch at a time, and collects their lines, or rows as lines, in one file, and sound rows in others. */
export async function collectLines(
  deps: CollectDependencies,
  spec: PipelineSpec,
  objects: readonly RawObject[],
  lineFile: string,
): Promise<CollectedRecords> {
  const lines = await RawLineFile.create(lineFile, deps.limits);
  const counts: number[] = [];
  const soundFiles: string[] = [];
  try {
    for (const batch of batchesOf(objects)) {
      const pathOf = (index: number) => join(deps.dir, `raw-${index}`); // keys are data: no file is named by one
      await forEachParallel(batch, DOWNLOADS_AT_ONCE, ({ object, index }) =>
        downloadObject(deps.s3, { bucket: deps.rawBucket, ...object }, pathOf(index), { signal: deps.signal }),
      );
      for (const { object, index } of batch) {
        counts.push(object.sizeBytes === 0 ? 0 : await addObject(deps, spec, lines, object, index, pathOf(index), soundFiles));
        await rm(pathOf(index));
        deps.onProgress(counts.length);
      }
    }
  } finally {
    await lines.close();
  }
  return { counts, soundFiles };
}

/** The formats differ in how records are read, and in nothing after that. */
async function addObject(
  { dir, memoryMb, limits, signal }: CollectDependencies,
  spec: PipelineSpec,
  lines: RawLineFile,
  object: RawObject,
  index: number,
  path: string,
  soundFiles: string[],
): Promise<number> {
  switch (spec.raw.format) {
    case 'json-lines':
      return lines.addLines(index, path, await isGzip(object.key, path), signal);
    case 'parquet': {
      const file = join(dir, `sound-${index}`);
      let sound = 0;
      const split = { spec, object: index, window: eventWindowMs(spec, object.arrivalHour), file };
      const options = { memoryMb, limits, spillDir: join(dir, 'spill'), signal, split, onSound: (rows: number) => (sound = rows) };
      const judged = await lines.addRows(index, parquetRows(path, spec.record.fields, options), signal);
      if (sound > 0) soundFiles.push(file);
      else await rm(file, { force: true });
      return sound + judged;
    }
    default:
      return spec.raw.format satisfies never;
  }
}

/** Fills the table `object`, and makes `record` of the line file and the files of sound rows. */
export async function loadRecords(
  db: ChunkDatabase,
  spec: PipelineSpec,
  objects: readonly RawObject[],
  lineFile: string,
  limits: RawLimits,
  soundFiles: readonly string[] = [],
): Promise<void> {
  await db.run(CREATE_OBJECT_TABLE);
  const appender = await db.connection.createAppender('object');
  objects.forEach((object, index) => {
    const window = eventWindowMs(spec, object.arrivalHour);
    appender.appendInteger(index);
    appender.appendVarchar(object.key);
    appender.appendVarchar(object.versionId);
    appender.appendBigInt(BigInt(window.from));
    appender.appendBigInt(BigInt(window.to));
    appender.endRow();
  });
  appender.closeSync();
  await db.run(createRecordTable(spec, lineFile, limits));
  await db.run(createRecordView(spec, soundFiles));
}

function batchesOf(objects: readonly RawObject[]): { readonly object: RawObject; readonly index: number }[][] {
  const batches: { object: RawObject; index: number }[][] = [];
  let sizeBytes = Number.POSITIVE_INFINITY;
  objects.forEach((object, index) => {
    if (sizeBytes + object.sizeBytes > DOWNLOAD_BATCH_BYTES) {
      batches.push([]);
      sizeBytes = 0;
    }
    batches.at(-1)?.push({ object, index });
    sizeBytes += object.sizeBytes;
  });
  return batches;
}

/** By name or by its first two bytes: devices and Firehose do not always agree on the suffix. */
async function isGzip(key: string, path: string): Promise<boolean> {
  if (key.endsWith('.gz')) return true;
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}
