import type { S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import type { Kysely } from 'kysely';
import { type CycleRef, generationPrefix } from '../../domain/cycle';
import { FailureType } from '../../domain/failure-type';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { findInFlight } from '../../sql/queries/cycles';
import type { Database } from '../../sql/schema';
import { readJsonDocument, writeJsonDocumentOnce } from '../json-document';
import type { LedgerReader } from '../ledger/ledger-table';
import { committedChunks, filesOf, type LiveFile } from '../ledger/live-files';
import { baseKey } from './places';

/** What of the dataset's storage a dry run builds on, whatever is stored or voided while it runs. */
export interface DryRunBase {
  /** Attempts whose records count as seen. */
  readonly attempts: readonly string[];
  readonly files: readonly LiveFile[];
}

export interface BaseDependencies {
  readonly s3: S3Client;
  readonly buckets: { readonly artifacts: string };
  readonly db: Kysely<Database>;
}

/**
 * Freezes the storage files of settled cycles. Chunks of a cycle in flight are none of them: it may yet fail, and if it is the dry run's
 * own interval, its records would be duplicates here and rows there, or both. Idempotent by (cycle, generation): written once.
 */
export async function freezeBase(deps: BaseDependencies, table: LedgerReader, cycle: CycleRef, spec: PipelineSpec): Promise<DryRunBase> {
  const existing = await readBaseDocument(deps, cycle, table.signal);
  if (existing !== undefined) return existing;
  // Asked before and after the chunks: one that was given up in between had its chunks listed, one that began was not there before.
  const before = await findInFlight(deps.db, spec.dataset);
  const listed = await committedChunks(table, spec.dataset);
  const inFlight = new Set([...before, ...(await findInFlight(deps.db, spec.dataset))].map(generationPrefix));
  const chunks = listed.filter((chunk) => !inFlight.has(generationPrefix(chunk.cycle)));
  const base = { attempts: chunks.map(({ attempt }) => attempt), files: await filesOf(deps, chunks, table.signal) };
  return await writeJsonDocumentOnce<DryRunBase>(deps.s3, { bucket: deps.buckets.artifacts, key: baseKey(cycle) }, base, table.signal);
}

/** @throws `ObjectVanished`, not retryable: the dry run was dropped meanwhile */
export async function readBase(deps: Pick<BaseDependencies, 's3' | 'buckets'>, cycle: CycleRef, signal: AbortSignal): Promise<DryRunBase> {
  const base = await readBaseDocument(deps, cycle, signal);
  if (base !== undefined) return base;
  throw ApplicationFailure.nonRetryable(
    `s3://${deps.buckets.artifacts}/${baseKey(cycle)} is not there: the dry run ${generationPrefix(cycle)} was dropped, or has not begun`,
    FailureType.ObjectVanished,
  );
}

function readBaseDocument({ s3, buckets }: Pick<BaseDependencies, 's3' | 'buckets'>, cycle: CycleRef, signal: AbortSignal) {
  return readJsonDocument<DryRunBase>(s3, { bucket: buckets.artifacts, key: baseKey(cycle) }, signal);
}
