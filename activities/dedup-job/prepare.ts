import type { S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import { cycleId } from '../../domain/cycle';
import type { DedupInput, RawObject, S3Pointer, StorageFile } from '../../domain/documents';
import { FailureType } from '../../domain/failure-type';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { DAY_MS, eventWindowMs } from '../batches/arrival-hours';
import { ChunkLookup } from '../batches/manifest';
import { forEachParallel } from '../for-each-parallel';
import { readJsonDocument, writeJsonDocumentOnce } from '../json-document';
import { newAttemptId } from '../ledger/chunk-attempt';
import { dateOfDay, quarantineStem } from '../ledger/chunk-files';
import { type DateLog, readDateLog } from '../ledger/date-log';
import type { LedgerTable } from '../ledger/ledger-table';
import { announceAttempt } from '../ledger/leftovers';
import type { RawLimits } from '../ledger/line-splitter';
import { filesOf } from '../ledger/live-files';
import { committedChunksOf } from '../ledger/rebuild';
import { CREATE_OBJECT_TABLE, createRecordTable, keyFingerprintSql } from '../ledger/record-sql';
import { storedFor } from '../ledger/seen';
import { dedupInputPointer, type DedupRound, dedupWorkUri } from './places';

export interface PrepareDependencies {
  readonly s3: S3Client;
  readonly buckets: { readonly raw: string; readonly storage: string; readonly refined: string; readonly quarantine: string; readonly artifacts: string };
  readonly table: LedgerTable;
  readonly limits: RawLimits;
}

/** As `createRecordTable` quotes it, the job finds it. */
const LINES = '{lines}';
const LOGS_AT_ONCE = 8;

/**
 * Writes what a round's run is given, once: the chunk's objects, and the files of all that counts as seen on any date that they may
 * have records of. Storage is the truth and segments are its cache, so the run reads storage, and needs nothing of DynamoDB.
 */
export async function prepareDedupInput(deps: PrepareDependencies, spec: PipelineSpec, round: DedupRound): Promise<{ readonly pointer: S3Pointer; readonly input: DedupInput }> {
  const { s3, buckets, table } = deps;
  const pointer = dedupInputPointer(buckets.artifacts, round);
  const existing = await readJsonDocument<DedupInput>(s3, pointer, table.signal);
  if (existing !== undefined) return { pointer, input: existing };
  const lookup = await ChunkLookup.open(s3, buckets.artifacts, round.cycle, table.signal);
  const input = await describeInput(deps, spec, round, await lookup.requiredObjectsOf(round.chunk));
  // Of all dates: which ones it has records of, only the run will know.
  await announceAttempt(table, { cycle: input.cycle, chunk: input.chunk, attempt: input.attempt, dates: input.logs, engine: 'spark' });
  return { pointer, input: await writeJsonDocumentOnce(s3, pointer, input, table.signal) };
}

/** The document of a run that was prepared. @throws `ObjectVanished`, not retryable, when it is gone */
export async function requiredDedupInput(s3: S3Client, { bucket, key }: S3Pointer, signal?: AbortSignal): Promise<DedupInput> {
  const input = await readJsonDocument<DedupInput>(s3, { bucket, key }, signal);
  if (input !== undefined) return input;
  throw ApplicationFailure.nonRetryable(`s3://${bucket}/${key} is gone: expected what a dedup run was given`, FailureType.ObjectVanished);
}

async function describeInput({ s3, buckets, table, limits }: PrepareDependencies, spec: PipelineSpec, round: DedupRound, objects: readonly RawObject[]): Promise<DedupInput> {
  const { cycle, chunk } = round;
  const attempt = newAttemptId();
  const windows = objects.map(({ arrivalHour }) => eventWindowMs(spec, arrivalHour));
  const logs = await readLogs(table, spec, eventDatesOf(windows));
  const seen = await seenStorageFiles({ s3, buckets, table }, spec, logs);
  return {
    cycle,
    cycleId: cycleId(cycle),
    chunk,
    attempt,
    raw: { bucket: buckets.raw, format: spec.raw.format },
    objects: objects.map((object, index) => ({ ...object, fromMs: windows[index]?.from ?? 0, toMs: windows[index]?.to ?? 0 })),
    limits,
    fields: spec.record.fields,
    eventTime: spec.record.eventTime,
    sql: { createObjects: CREATE_OBJECT_TABLE, createRecords: createRecordTable(spec, LINES, limits), fingerprint: keyFingerprintSql(spec) },
    logs: Object.fromEntries(logs.map(({ eventDate, nextSequence }) => [eventDate, nextSequence])),
    seen: Object.fromEntries(
      [...seen].map(([eventDate, files]) => [eventDate, files.map(({ key, rowCount, sizeBytes }) => ({ uri: `s3://${buckets.storage}/${key}`, rowCount, sizeBytes }))]),
    ),
    storageUri: `s3://${buckets.storage}/${spec.dataset}/`,
    quarantineUri: `s3://${buckets.quarantine}/${quarantineStem(cycle, chunk, attempt)}-`,
    workUri: dedupWorkUri(buckets.refined, round),
  };
}

/** The dates of any record that would be stored, in order. */
function eventDatesOf(windows: readonly { readonly from: number; readonly to: number }[]): readonly string[] {
  const dates = new Set<string>();
  for (const { from, to } of windows) {
    for (let day = Math.floor(from / DAY_MS); day * DAY_MS < to; day++) dates.add(dateOfDay(day));
  }
  return [...dates].sort();
}

async function readLogs(table: LedgerTable, { dataset }: PipelineSpec, eventDates: readonly string[]): Promise<readonly DateLog[]> {
  const logs = new Map<string, DateLog>();
  await forEachParallel(eventDates, LOGS_AT_ONCE, async (eventDate) => {
    logs.set(eventDate, await readDateLog(table, dataset, eventDate));
  });
  return eventDates.flatMap((eventDate) => logs.get(eventDate) ?? []);
}

/**
 * The files that committed chunks stored for each date, voided ones left out. To be called once the logs have been read: a chunk that
 * comes later makes a log longer, and the commit is refused.
 */
async function seenStorageFiles(
  { s3, buckets, table }: Pick<PrepareDependencies, 's3' | 'buckets' | 'table'>,
  spec: PipelineSpec,
  logs: readonly DateLog[],
): Promise<ReadonlyMap<string, readonly StorageFile[]>> {
  const chunks = await committedChunksOf(table, spec, logs.map(({ eventDate }) => eventDate));
  const stored = chunks.filter((chunk) => logs.some((log) => storedFor(chunk, log)));
  const files = await filesOf({ s3, buckets }, stored, table.signal);
  return new Map(logs.map(({ eventDate }) => [eventDate, files.filter((file) => file.eventDate === eventDate)]));
}
