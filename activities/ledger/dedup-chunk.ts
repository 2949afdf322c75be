import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DeleteObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { CycleRef } from '../../domain/cycle';
import type { ChunkDocument, RawObject } from '../../domain/documents';
import { FailureType } from '../../domain/failure-type';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { countRecords } from './chunk-counts';
import { ChunkDatabase } from './chunk-database';
import { putChunkDocument } from './chunk-document';
import { dateOfDay, type LocalFile, uploadFile, writeQuarantineFile, writeStorageFiles } from './chunk-files';
import { collectLines, loadRecords } from './chunk-input';
import { type ChunkItem, decodeChunkItem, encodeChunkItem } from './chunk-item';
import { commitUnderFence, generationVoided, notVoided } from './commit';
import { appendEntry, type DateLog, readDateLog, unchangedLog } from './date-log';
import { forEachParallel } from './for-each-parallel';
import { chunkKey } from './keys';
import type { LedgerTable } from './ledger-table';
import type { RawLimits } from './raw-lines';
import { keepUnseen, seenFiles } from './seen';
import type { SegmentCache } from './segment-cache';
import { deleteSegments, type OwnSegments, putOwnSegments } from './segments';

export interface ChunkDependencies {
  readonly s3: S3Client;
  readonly buckets: {
    readonly raw: string;
    readonly storage: string;
    readonly quarantine: string;
    readonly artifacts: string;
  };
  readonly table: LedgerTable;
  readonly cache: SegmentCache;
  readonly workDir: string;
  readonly duckdbMemoryMb: number;
  readonly limits: RawLimits;
  /** Called between steps and while objects are read. */
  readonly onStep: (step: string) => void;
}

export interface ChunkInput {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  readonly epoch: number;
  readonly chunk: number;
  readonly objects: readonly RawObject[];
}

const MAX_ROUNDS = 20; // each is lost to somebody who committed: more means that two cycles share a turn
const UPLOADS_AT_ONCE = 4;

/**
 * Stores what is new in one chunk. Idempotent by (cycle, generation, chunk): a committed chunk returns what it recorded. All
 * that an attempt writes carries its random id, and counts only once the commit names it.
 * @throws `TurnLost`, `LedgerRefused`, `CountsDoNotAddUp`, `ObjectVanished`, not retryable; `ObjectDamaged`, `Throttled`
 */
export async function dedupChunk(deps: ChunkDependencies, input: ChunkInput): Promise<ChunkItem> {
  const earlier = await readChunk(deps.table, input);
  if (earlier !== undefined) return earlier;
  const { table, limits } = deps;
  await mkdir(deps.workDir, { recursive: true });
  const dir = await mkdtemp(join(deps.workDir, 'chunk-'));
  try {
    const lineFile = join(dir, 'lines');
    const readCounts = await collectLines(
      deps.s3,
      deps.buckets.raw,
      input.objects,
      lineFile,
      dir,
      limits,
      table.signal,
      (objects) => deps.onStep(`read ${objects} of ${input.objects.length} objects`),
    );
    const db = await ChunkDatabase.open({
      spillDir: join(dir, 'spill'),
      memoryMb: deps.duckdbMemoryMb,
      signal: table.signal,
    });
    try {
      deps.onStep('parse');
      await loadRecords(db, input.spec, input.objects, lineFile, limits);
      await rm(lineFile);
      return await storeUnseen(deps, input, db, dir, readCounts);
    } finally {
      db.close();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Rounds of reading the ledger, writing under a new attempt id, and trying to commit, until nobody else was first. */
async function storeUnseen(
  deps: ChunkDependencies,
  input: ChunkInput,
  db: ChunkDatabase,
  dir: string,
  readCounts: readonly number[],
): Promise<ChunkItem> {
  const { spec, cycle } = input;
  const days = await db.rows('select distinct _day from record where _reason is null order by _day');
  let logs: readonly DateLog[] = days.map(([day]) => ({
    eventDate: dateOfDay(Number(day)),
    nextSequence: 1,
    entries: [],
  }));
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    deps.onStep('read the ledger');
    const read: DateLog[] = [];
    for (const known of logs) read.push(await readDateLog(deps.table, spec.dataset, known.eventDate, known));
    logs = read;
    const rebuild = { s3: deps.s3, buckets: deps.buckets, cache: deps.cache, dir, signal: deps.table.signal };
    const files = await seenFiles(rebuild, deps.table, db, spec, cycle, logs, Date.now());
    deps.onStep('compare');
    await keepUnseen(db, files);
    const attempt = await writeAttempt(deps, input, db, dir, readCounts);
    deps.onStep('commit');
    const outcome = await commitUnderFence(
      deps.table,
      spec.dataset,
      input.epoch,
      commitItems(deps.table, input, attempt, logs),
    );
    if (outcome.committed) return attempt.item;
    await discard(deps, spec.dataset, attempt);
    if (outcome.refused.includes('void marker')) throw generationVoided(cycle);
    if (outcome.refused.includes('chunk')) {
      const winner = await readChunk(deps.table, input);
      if (winner !== undefined) return winner;
    }
    log.info('Another chunk was committed first', { dates: outcome.refused, round, chunk: input.chunk });
  }
  throw ApplicationFailure.create({
    message: `Chunk ${input.chunk} of ${input.cycle.pipeline} until ${input.cycle.intervalEnd} lost ${MAX_ROUNDS} rounds to other writers of "${spec.dataset}"`,
    type: FailureType.LedgerRefused,
  });
}

interface Attempt {
  readonly item: ChunkItem;
  readonly own: readonly OwnSegments[];
  readonly document: ChunkDocument;
}

/** Segments, files and document of what is kept, under a new id: nothing of it counts yet. */
async function writeAttempt(
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

/** Dates without anything new are in it too: what made their records duplicates must not have been voided meanwhile. */
function commitItems(table: LedgerTable, input: ChunkInput, { item, own }: Attempt, logs: readonly DateLog[]) {
  const nowMs = Date.now();
  return [
    {
      name: 'chunk',
      item: {
        Put: { TableName: table.name, Item: encodeChunkItem(item), ConditionExpression: 'attribute_not_exists(pk)' },
      },
    },
    notVoided(table, input.cycle),
    ...logs.map((dateLog) => {
      const segments = own.find(({ eventDate }) => eventDate === dateLog.eventDate);
      return {
        name: dateLog.eventDate,
        item:
          segments === undefined
            ? unchangedLog(table.name, input.spec.dataset, dateLog)
            : appendEntry(
                table.name,
                input.spec,
                input.cycle,
                dateLog,
                { kind: 'chunk', attempt: item.attempt, ...segments },
                nowMs,
              ),
      };
    }),
  ];
}

async function readChunk(table: LedgerTable, { cycle, chunk }: ChunkInput): Promise<ChunkItem | undefined> {
  const item = await table.get(chunkKey(cycle, chunk));
  if (item === undefined) return undefined;
  const found = decodeChunkItem(cycle.dataset, item);
  if (found.state === 'voided') throw generationVoided(cycle);
  return found;
}

/** The transaction was refused, so nothing can name this attempt any more. What cannot be removed now costs only space. */
async function discard(deps: ChunkDependencies, dataset: string, { own, document, item }: Attempt): Promise<void> {
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
