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
import { RawLineFile } from './raw-lines';
import { CREATE_OBJECT_TABLE, createRecordTable } from './record-sql';

const DOWNLOADS_AT_ONCE = 8;
/** Bytes of objects on disk at once, before their lines are collected; one object may be larger. */
const DOWNLOAD_BATCH_BYTES = 256 * 1024 ** 2;

/**
 * Downloads the objects in their order, a batch at a time, and collects their lines in one file.
 * @returns records of each object, as counted before any parsing
 */
export async function collectLines(
  s3: S3Client,
  rawBucket: string,
  objects: readonly RawObject[],
  lineFile: string,
  dir: string,
  limits: RawLimits,
  signal: AbortSignal,
  onProgress: (objectsRead: number) => void,
): Promise<readonly number[]> {
  const lines = await RawLineFile.create(lineFile, limits);
  const counts: number[] = [];
  try {
    for (const batch of batchesOf(objects)) {
      const pathOf = (index: number) => join(dir, `raw-${index}`); // keys are data: no file is named by one
      await forEachParallel(batch, DOWNLOADS_AT_ONCE, ({ object, index }) =>
        downloadObject(s3, { bucket: rawBucket, ...object }, pathOf(index), { signal }),
      );
      for (const { object, index } of batch) {
        counts.push(
          object.sizeBytes === 0
            ? 0
            : await lines.add(index, pathOf(index), await isGzip(object.key, pathOf(index)), signal),
        );
        await rm(pathOf(index));
        onProgress(counts.length);
      }
    }
  } finally {
    await lines.close();
  }
  return counts;
}

/** Fills the tables `object` and `record` from the line file. */
export async function loadRecords(
  db: ChunkDatabase,
  spec: PipelineSpec,
  objects: readonly RawObject[],
  lineFile: string,
  limits: RawLimits,
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
