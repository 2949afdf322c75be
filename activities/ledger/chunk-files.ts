import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { type CycleRef, cycleId, generationPrefix } from '../../domain/cycle';
import type { StorageFile } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { KeptDay } from './chunk-counts';
import type { ChunkDatabase } from './chunk-database';
import { paddedChunk } from './keys';
import { sqlName, sqlText } from './sql-text';

const DAY_MS = 86_400_000;
/** Small files go as buffers, which the SDK can send again by itself; a stream's fault is the activity's retry. */
const BUFFERED_BYTES = 32 * 1024 ** 2;

export interface LocalFile {
  readonly path: string;
  readonly key: string;
  readonly sizeBytes: number;
}

/** `2018-08-01` of a day number since 1970. */
export function dateOfDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** What the keys of an attempt's files for one event date begin with. */
export function storageStem(dataset: string, eventDate: string, attempt: string): string {
  return `${dataset}/event_date=${eventDate}/${attempt}-`;
}

/** Key of an attempt's file for the `index`-th of its event dates, which are in order. */
export function storageKey(dataset: string, eventDate: string, attempt: string, index: number): string {
  return `${storageStem(dataset, eventDate, attempt)}${index}.parquet`;
}

export function quarantineKey(cycle: CycleRef, chunk: number, attempt: string): string {
  return `${quarantineStem(cycle, chunk, attempt)}.jsonl.gz`;
}

/** What the keys of an attempt's files in quarantine begin with. */
export function quarantineStem(cycle: CycleRef, chunk: number, attempt: string): string {
  return `${generationPrefix(cycle)}/dedup/${paddedChunk(chunk)}-${attempt}`;
}

/** Writes one Parquet file for each event date of the records in `keep`, sorted by event time. */
export async function writeStorageFiles(
  db: ChunkDatabase,
  spec: PipelineSpec,
  cycle: CycleRef,
  dir: string,
  days: readonly KeptDay[],
  keyOf: (eventDate: string, index: number) => string,
): Promise<readonly (StorageFile & LocalFile)[]> {
  const files: (StorageFile & LocalFile)[] = [];
  for (const [index, kept] of days.entries()) {
    const eventDate = dateOfDay(kept.day);
    const path = join(dir, `storage-${index}.parquet`);
    await db.run(storageCopySql(spec, cycle, kept, path));
    files.push({ path, key: keyOf(eventDate, index), eventDate, rowCount: kept.count, sizeBytes: (await stat(path)).size });
  }
  return files;
}

/** Writes the records in `keep` of one day to a Parquet file, sorted by event time. */
function storageCopySql(spec: PipelineSpec, cycle: CycleRef, { day, isWhole }: KeptDay, path: string): string {
  const fields = spec.record.fields.map((field) => sqlName(field.name)).join(', ');
  const kept = isWhole ? '' : `and _position in (select _position from keep where _day = ${day})`;
  // The objects' names come in after the sort, which would carry them along a million times.
  return `copy (
      select ${fields}, ${sqlText(cycleId(cycle))}::enum(${sqlText(cycleId(cycle))}) as cycle_id, ${cycle.generation}::integer as generation,
        ${nameOfObject('raw_object')}, ${nameOfObject('raw_version')}, _line as raw_line
      from (
        select ${fields}, _object, _line from record
        where _reason is null and _day = ${day} ${kept}
        order by ${sqlName(spec.record.eventTime)}, _position
      )
    ) to ${sqlText(path)} (format parquet, compression zstd)`;
}

/** Objects are numbered from 0, lists from 1. An enum's file is that of a text, without every value's way into a dictionary. */
function nameOfObject(column: 'raw_object' | 'raw_version'): string {
  return `(select list(${column}::${column}_name order by _object) from object)[_object + 1] as ${column}`;
}

/** Writes the records in quarantine as gzipped JSON lines: reason, detail, object, version, line, and the line's beginning. */
export async function writeQuarantineFile(db: ChunkDatabase, dir: string, key: string): Promise<LocalFile> {
  const path = join(dir, 'quarantine.jsonl.gz');
  await db.run(`copy (
    select _reason as reason, _detail as detail, raw_object as object, raw_version as version, _line as line, _raw as raw
    from record join object using (_object) where _reason is not null order by _position
  ) to ${sqlText(path)} (format json, compression gzip)`);
  return { path, key, sizeBytes: (await stat(path)).size };
}

/** Puts a local file; the key carries the attempt's random id, so that nothing is ever overwritten. */
export async function uploadFile(s3: S3Client, bucket: string, file: LocalFile, signal: AbortSignal): Promise<void> {
  await s3.send(
    new PutObjectCommand({
      Bucket: bucket,
      Key: file.key,
      Body: file.sizeBytes <= BUFFERED_BYTES ? await readFile(file.path) : createReadStream(file.path),
      ContentLength: file.sizeBytes,
    }),
    { abortSignal: signal },
  );
}
