import { HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { addCounts, NO_RECORDS } from '../../domain/conservation';
import type { DedupInput, DedupManifest, RecordCounts, S3Pointer, StorageFile } from '../../domain/documents';
import { FailureType } from '../../domain/failure-type';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { forEachParallel } from '../for-each-parallel';
import { readJsonDocument } from '../json-document';
import { assertAddsUp } from '../ledger/chunk-counts';
import { putChunkDocument } from '../ledger/chunk-document';
import type { ChunkItem } from '../ledger/chunk-item';
import { commitItems, readChunk } from '../ledger/chunk-commit';
import { commitUnderFence, generationVoided } from '../ledger/commit';
import { voidMarkerKey } from '../ledger/keys';
import type { LedgerTable } from '../ledger/ledger-table';

export interface CommitDependencies {
  readonly s3: S3Client;
  readonly buckets: { readonly storage: string; readonly artifacts: string };
  readonly table: LedgerTable;
}

/** A run's entry in a date's log names one segment, which nobody puts: whoever looks for it reads the chunk's storage instead. */
const SEGMENTS_OF_A_RUN = 1;
const HEADS_AT_ONCE = 16;

/**
 * Commits what a run stored, if the ledger is still what the run was compared with. Idempotent by (cycle, generation, chunk).
 * @returns the chunk as committed, by this run or another one; undefined when somebody else had written to one of its dates
 * @throws `JobOutputInvalid`, `CountsDoNotAddUp`, `LedgerRefused`, `TurnLost`, not retryable; `Throttled`
 */
export async function commitDedupRun(deps: CommitDependencies, spec: PipelineSpec, epoch: number, input: DedupInput): Promise<ChunkItem | undefined> {
  const { table } = deps;
  const { cycle, chunk } = input;
  const before = await readChunk(table, input);
  if (before !== undefined) return before;
  // Its files are gone then: that they are is not what is wrong.
  if ((await table.get(voidMarkerKey(cycle))) !== undefined) throw generationVoided(cycle);
  const item = await writeDocument(deps, input, await provenManifest(deps, input));
  const own = Object.entries(item.dates).map(([eventDate, count]) => ({ eventDate, segments: SEGMENTS_OF_A_RUN, count }));
  const logs = Object.entries(input.logs).map(([eventDate, nextSequence]) => ({ eventDate, nextSequence, entries: [] }));
  const outcome = await commitUnderFence(table, spec.dataset, epoch, commitItems(table, spec, { item, own }, logs));
  if (outcome.committed) return item;
  // Perhaps by this very run, when the answer to the first try was lost. Its files stay in any case: whoever commits the chunk removes
  // what others wrote for it, and a retry of this step must find what it found.
  const winner = outcome.refused.includes('chunk') ? await readChunk(table, input) : undefined;
  if (winner !== undefined) return winner;
  if (outcome.refused.includes('void marker')) throw generationVoided(cycle);
  log.info('Another chunk was committed first', { dates: outcome.refused, chunk });
  return undefined;
}

async function writeDocument({ s3, buckets, table }: CommitDependencies, input: DedupInput, manifest: DedupManifest): Promise<ChunkItem> {
  const { cycle, chunk, attempt } = input;
  const counts = manifest.objects.reduce(addCounts, NO_RECORDS);
  const document = {
    cycle,
    chunk,
    attempt,
    counts,
    objects: input.objects.map(({ key, versionId, etag, sizeBytes, arrivalHour }, index) => ({ key, versionId, etag, sizeBytes, arrivalHour, counts: manifest.objects[index] ?? NO_RECORDS })),
    files: manifest.files,
    quarantineFiles: manifest.quarantineFiles,
  };
  const documentKey = await putChunkDocument(s3, buckets.artifacts, document, table.signal);
  return { cycle, chunk, state: 'committed', attempt, counts, fileCount: manifest.files.length, documentKey, dates: rowsByDate(manifest.files), engine: 'spark' };
}

/** The run's manifest, held against what it was given and against what stands in storage. */
async function provenManifest({ s3, buckets, table }: CommitDependencies, input: DedupInput): Promise<DedupManifest> {
  const { objects, attempt } = input;
  const pointer = manifestPointer(input);
  const manifest = await readJsonDocument<DedupManifest>(s3, pointer, table.signal);
  if (manifest === undefined) throw invalid(pointer, 'it is not there, though the run ended in SUCCESS');
  if (manifest.attempt !== attempt) throw invalid(pointer, `expected attempt ${attempt}, found ${manifest.attempt}`);
  if (manifest.objects.length !== objects.length) throw invalid(pointer, `expected counts of ${objects.length} objects, found ${manifest.objects.length}`);
  manifest.objects.forEach((counts: RecordCounts, index) => assertAddsUp(counts, objects[index]));
  const stored = manifest.objects.reduce((sum, counts) => sum + counts.stored, 0);
  const rows = manifest.files.reduce((sum, file) => sum + file.rowCount, 0);
  if (rows !== stored) {
    throw ApplicationFailure.nonRetryable(`s3://${pointer.bucket}/${pointer.key}: its files hold ${rows} records, and ${stored} are counted as stored. Nothing of the chunk was stored`, FailureType.CountsDoNotAddUp);
  }
  await forEachParallel(manifest.files, HEADS_AT_ONCE, async (file) => {
    if (!(file.eventDate in input.logs)) throw invalid(pointer, `it stored records of ${file.eventDate}, which none of the chunk's objects may have`);
    await assertStands(s3, buckets.storage, file, pointer, table.signal);
  });
  return manifest;
}

async function assertStands(s3: S3Client, bucket: string, { key, sizeBytes }: StorageFile, manifest: S3Pointer, signal: AbortSignal): Promise<void> {
  try {
    const { ContentLength } = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }), { abortSignal: signal });
    if (ContentLength !== sizeBytes) throw invalid(manifest, `s3://${bucket}/${key} has ${ContentLength} bytes, expected ${sizeBytes}`);
  } catch (error) {
    if (error instanceof Error && error.name === 'NotFound') throw invalid(manifest, `s3://${bucket}/${key} is not there`);
    throw error;
  }
}

function rowsByDate(files: readonly StorageFile[]): Readonly<Record<string, number>> {
  const dates: Record<string, number> = {};
  for (const { eventDate, rowCount } of files) dates[eventDate] = (dates[eventDate] ?? 0) + rowCount;
  return dates;
}

function manifestPointer({ workUri }: DedupInput): S3Pointer {
  const [, , bucket = '', ...rest] = workUri.split('/');
  return { bucket, key: `${rest.join('/')}_manifest.json` };
}

function invalid({ bucket, key }: S3Pointer, fault: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(`s3://${bucket}/${key} is no valid output of a dedup run: ${fault}`, FailureType.JobOutputInvalid);
}
