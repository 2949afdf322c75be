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
import { parquetRows, type SoundRows } from './parquet-rows';
import { RawLineFile } from './raw-lines';
import { addSoundRows, CREATE_NAME_TYPES, CREATE_OBJECT_TABLE, createRecordTable, createRecordView, createSoundTable } from './record-sql';

const SOUND_TABLE = 'sound_record';
const DOWNLOADS_AT_ONCE = 8;
/** Bytes of objects on disk at once, the one that is read among them; one object may be larger. */
const DOWNLOADED_BYTES = 256 * 1024 ** 2;

/** Of the memory, while an object has a database of its own, which cannot spill what it decodes; the chunk's can spill its table. */
const CHUNK_SHARE = 1 / 4;

export interface CollectDependencies {
  readonly s3: S3Client;
  readonly rawBucket: string;
  /** Scratch space of the chunk. */
  readonly dir: string;
  readonly limits: RawLimits;
  /** DuckDB's limit, for the chunk's database and that of a Parquet object together. */
  readonly memoryMb: number;
  readonly signal: AbortSignal;
  readonly onProgress: (objectsRead: number) => void;
}

/**
 * Downloads the objects and, while the next ones come, collects their lines in their order, or rows as lines, in one file. Sound rows
 * go to a table of their own. @returns the number of records of each object, as counted before any parsing
 */
export async function collectLines(
  deps: CollectDependencies,
  db: ChunkDatabase,
  spec: PipelineSpec,
  objects: readonly RawObject[],
  lineFile: string,
): Promise<readonly number[]> {
  const lines = await RawLineFile.create(lineFile, deps.limits);
  const counts: number[] = [];
  try {
    for (const table of soundTables(spec)) await db.run(createSoundTable(spec, table));
    const numbered = objects.map((object, index) => ({ object, index, path: join(deps.dir, `raw-${index}`) })); // keys are data: no file is named by one
    const room = { items: DOWNLOADS_AT_ONCE, weight: DOWNLOADED_BYTES, weightOf: ({ object }: NumberedObject) => object.sizeBytes };
    const download = ({ object, path }: NumberedObject) => downloadObject(deps.s3, { bucket: deps.rawBucket, ...object }, path, { signal: deps.signal });
    for await (const next of preparedAhead(numbered, room, download)) {
      counts.push(next.object.sizeBytes === 0 ? 0 : await addObject(deps, db, spec, lines, next));
      await rm(next.path);
      deps.onProgress(counts.length);
    }
  } finally {
    await lines.close();
  }
  return counts;
}

interface NumberedObject {
  readonly object: RawObject;
  readonly index: number;
  readonly path: string;
}

/** The formats differ in how records are read, and in nothing after that. */
async function addObject(
  { dir, memoryMb, limits, signal }: CollectDependencies,
  db: ChunkDatabase,
  spec: PipelineSpec,
  lines: RawLineFile,
  { object, index, path }: NumberedObject,
): Promise<number> {
  switch (spec.raw.format) {
    case 'json-lines':
      return lines.addLines(index, path, await isGzip(object.key, path), signal);
    case 'parquet': {
      const sound: { rows?: SoundRows | undefined } = {};
      const split = { spec, window: eventWindowMs(spec, object.arrivalHour) };
      await db.limitMemory(memoryMb * CHUNK_SHARE);
      const options = { memoryMb: memoryMb * (1 - CHUNK_SHARE), limits, spillDir: join(dir, 'spill-object'), signal, split, onSound: (rows: SoundRows | undefined) => (sound.rows = rows) };
      const judged = await lines.addRows(index, parquetRows(path, spec.record.fields, options), signal);
      await db.limitMemory(memoryMb);
      if (sound.rows === undefined) return judged;
      await db.run(addSoundRows(spec, SOUND_TABLE, index, sound.rows.query));
      return sound.rows.count + judged;
    }
    default:
      return spec.raw.format satisfies never;
  }
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
