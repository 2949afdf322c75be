import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import type { RawObject } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { eventWindowMs } from '../batches/arrival-hours';
import { downloadObject } from '../s3-download';
import type { ChunkDatabase } from './chunk-database';
import { preparedAhead } from '../prepared-ahead';
import type { RawLimits } from './line-splitter';
import { type LocalObject, ParquetObjects, SOUND_TABLE } from './parquet-objects';
import { RawLineFile } from './raw-lines';
import { CREATE_NAME_TYPES, CREATE_OBJECT_TABLE, createRecordTable, createRecordView, createSoundTable } from './record-sql';

const DOWNLOADS_AT_ONCE = 8;
/** Bytes of objects on disk at once, the one that is read among them; one object may be larger. */
const DOWNLOADED_BYTES = 256 * 1024 ** 2;

export interface CollectDependencies {
  readonly s3: S3Client;
  readonly rawBucket: string;
  /** Scratch space of the chunk. */
  readonly dir: string;
  readonly limits: RawLimits;
  /** DuckDB's limit, for the chunk's database and that of a Parquet object together. */
  readonly memoryMb: number;
  readonly signal: AbortSignal;
  /** Parquet objects one at a time, each proven before the chunk's database reads it. */
  readonly isCareful: boolean;
  readonly onProgress: (objectsRead: number) => void;
}

/**
 * Downloads the objects and, while the next ones come, collects their lines in their order, or rows as lines, in one file. Sound rows
 * go to a table of their own. @returns the number of records of each object, as counted before any parsing
 * @throws BrokenChunkDatabase, unless careful
 */
export async function collectLines(
  deps: CollectDependencies,
  db: ChunkDatabase,
  spec: PipelineSpec,
  objects: readonly RawObject[],
  lineFile: string,
): Promise<readonly number[]> {
  const { dir, limits, memoryMb, signal, isCareful } = deps;
  const lines = await RawLineFile.create(lineFile, limits);
  const counts = objects.map(() => 0);
  let added = 0;
  const onAdded = async ({ index, path }: LocalObject, records: number) => {
    counts[index] = records;
    await rm(path);
    deps.onProgress(++added);
  };
  const parquet = new ParquetObjects({ db, lines, spec, dir, limits, memoryMb, signal, isCareful, onAdded });
  /** The formats differ in how records are read, and in nothing after that. */
  const add = async (local: LocalObject) => {
    switch (spec.raw.format) {
      case 'json-lines':
        return onAdded(local, await lines.addLines(local.index, local.path, await isGzip(local.object.key, local.path), signal));
      case 'parquet':
        return parquet.add(local);
      default:
        return spec.raw.format satisfies never;
    }
  };
  try {
    for (const table of soundTables(spec)) await db.run(createSoundTable(spec, table));
    const numbered = objects.map((object, index) => ({ object, index, path: join(dir, `raw-${index}`) })); // keys are data: no file is named by one
    const room = { items: DOWNLOADS_AT_ONCE, weight: DOWNLOADED_BYTES, weightOf: ({ object }: LocalObject) => object.sizeBytes };
    const download = ({ object, path }: LocalObject) => downloadObject(deps.s3, { bucket: deps.rawBucket, ...object }, path, { signal });
    for await (const next of preparedAhead(numbered, room, download)) {
      if (next.object.sizeBytes === 0) await onAdded(next, 0);
      else await add(next);
    }
    await parquet.flush();
  } finally {
    await lines.close();
  }
  return counts;
}

/** Fills the table `object`, and makes `record` of the line file and the sound rows. */
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
  for (const createType of CREATE_NAME_TYPES) await db.run(createType);
  await db.run(createRecordTable(spec, lineFile, limits));
  await db.run(createRecordView(spec, soundTables(spec)));
}

function soundTables({ raw }: PipelineSpec): readonly string[] {
  return raw.format === 'parquet' ? [SOUND_TABLE] : [];
}

/** By name or by its first two bytes: devices and Firehose do not always agree on the suffix. */
export async function isGzip(key: string, path: string): Promise<boolean> {
  if (key.endsWith('.gz')) return true;
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}
