import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import { compactInstant } from '../../domain/data-interval';
import type { CycleRef } from '../../domain/cycle';
import type { StorageFile } from '../../domain/documents';
import { readChunkDocument } from './chunk-document';
import { type ChunkItem, decodeChunkItem, isChunkItem } from './chunk-item';
import { forEachParallel } from '../for-each-parallel';
import { chunksPartition } from './keys';
import { type LedgerReader, LedgerTable } from './ledger-table';

export interface LiveFilesDependencies {
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
  readonly buckets: { readonly artifacts: string };
  readonly ledgerTable: string;
}

export interface LiveFilesInput {
  readonly dataset: string;
  /** Interval end, RFC 3339: chunks of later cycles are left out. */
  readonly upTo?: string;
  /** `YYYY-MM-DD`: files of earlier event dates are left out. */
  readonly fromEventDate?: string;
  readonly signal?: AbortSignal;
}

const DOCUMENTS_AT_ONCE = 16;

/**
 * The storage files of a dataset: those of committed chunks that are not voided, with the cycle generation that stored them,
 * ordered by interval end, generation and chunk. Never a listing: what crashed attempts left there does not count.
 */
export async function liveStorageFiles(
  deps: LiveFilesDependencies,
  input: LiveFilesInput,
): Promise<readonly LiveFile[]> {
  const table = new LedgerTable(deps.dynamodb, deps.ledgerTable, input.signal ?? new AbortController().signal);
  const to = input.upTo === undefined ? '~' : `${compactInstant(input.upTo)}~`;
  const { fromEventDate = '' } = input;
  const chunks = (await committedChunks(table, input.dataset, to)).filter((chunk) => Object.keys(chunk.dates).some((date) => date >= fromEventDate));
  return (await filesOf(deps, chunks, input.signal)).filter((file) => file.eventDate >= fromEventDate);
}

/** A storage file with the cycle generation that stored it. */
export interface LiveFile extends StorageFile {
  readonly cycle: CycleRef;
}

/** The dataset's committed chunks that are not voided, ordered by interval end, generation and chunk. @param to - of their sort keys */
export async function committedChunks(table: LedgerReader, dataset: string, to = '~'): Promise<readonly ChunkItem[]> {
  const chunks: ChunkItem[] = [];
  for await (const item of table.query(chunksPartition(dataset), '0', to)) {
    if (!isChunkItem(item)) continue;
    const chunk = decodeChunkItem(dataset, item);
    if (chunk.state === 'committed') chunks.push(chunk);
  }
  return chunks;
}

/** The storage files of chunks, in the order of the chunks. */
export async function filesOf(
  deps: { readonly s3: S3Client; readonly buckets: { readonly artifacts: string } },
  chunks: readonly ChunkItem[],
  signal?: AbortSignal,
): Promise<readonly LiveFile[]> {
  const files = new Map<ChunkItem, readonly StorageFile[]>();
  await forEachParallel(chunks, DOCUMENTS_AT_ONCE, async (chunk) => {
    files.set(chunk, (await readChunkDocument(deps.s3, deps.buckets.artifacts, chunk.documentKey, signal)).files);
  });
  return chunks.flatMap((chunk) => (files.get(chunk) ?? []).map((file) => ({ ...file, cycle: chunk.cycle })));
}
