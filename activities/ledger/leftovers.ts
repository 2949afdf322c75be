import type { S3Client } from '@aws-sdk/client-s3';
import { log } from '@temporalio/activity';
import type { CycleRef } from '../../domain/cycle';
import type { DedupEngine } from '../../domain/pipeline-spec';
import { deleteBelow, deleteKeys } from '../delete-objects';
import { quarantineKey, quarantineStem, storageKey, storageStem } from './chunk-files';
import { engineAttribute, engineOf } from './chunk-item';
import { attemptKey, attemptSortPrefix, attemptsPartition } from './keys';
import type { LedgerTable } from './ledger-table';

/** What one attempt at a chunk wrote, or was about to: enough to name all its files. */
export interface AttemptFiles {
  readonly cycle: CycleRef;
  readonly chunk: number;
  readonly attempt: string;
  readonly dates: Readonly<Record<string, number>>;
  readonly engine?: DedupEngine;
}

export interface LeftoverDependencies {
  readonly s3: S3Client;
  readonly buckets: { readonly storage: string; readonly quarantine: string };
  readonly table: LedgerTable;
}

/** Says that an attempt will write files, before it does: a crash then leaves nothing that nobody knows of. */
export async function announceAttempt(
  table: LedgerTable,
  { cycle, chunk, attempt, dates, engine }: AttemptFiles,
): Promise<void> {
  const { pk, sk } = attemptKey(cycle, chunk, attempt);
  await table.put({
    pk: { S: pk },
    sk: { S: sk },
    chunk: { N: String(chunk) },
    // A set is never empty in DynamoDB.
    dates: { SS: ['-', ...Object.keys(dates)] },
    ...(engine === undefined ? {} : engineAttribute({ engine })),
  });
}

/**
 * Removes the files of attempts at a chunk, or at all chunks of a generation, other than the committed one. To be called once
 * they can commit no more: the chunk is committed, or the generation voided. Engines that list the event date's prefix
 * (Athena, by the catalog) would count leftovers. Best effort: what could not be removed is found again by its item.
 */
export async function removeLeftovers(
  deps: LeftoverDependencies,
  cycle: CycleRef,
  committed?: { readonly chunk: number; readonly attempt: string },
  keepQuarantineOf: ReadonlySet<string> = new Set(),
): Promise<void> {
  const prefix = attemptSortPrefix(cycle, committed?.chunk);
  try {
    for await (const item of deps.table.query(attemptsPartition(cycle.dataset), prefix, `${prefix}~`)) {
      const attempt = item.sk?.S?.split('#').at(-1) ?? '';
      const chunk = Number(item.chunk?.N);
      const dates = Object.fromEntries((item.dates?.SS ?? []).filter((date) => date !== '-').map((date) => [date, 0]));
      if (attempt !== committed?.attempt)
        await deleteAttemptFiles(deps, { cycle, chunk, attempt, dates, ...engineOf(item) }, keepQuarantineOf.has(attempt));
      await deps.table.delete(attemptKey(cycle, chunk, attempt));
    }
  } catch (error) {
    deps.table.signal.throwIfAborted();
    log.warn('Leftovers of earlier attempts were not removed', { sortKeyPrefix: prefix, error: String(error) });
  }
}

/** Storage files, and the quarantine file unless it is to be kept, by name, whether they are there or not; of a Spark run, by prefix. */
export async function deleteAttemptFiles(
  { s3, buckets, table }: LeftoverDependencies,
  { cycle, chunk, attempt, dates, engine }: AttemptFiles,
  keepQuarantine = false,
): Promise<void> {
  if (engine === 'spark') {
    for (const date of Object.keys(dates)) await deleteBelow(s3, buckets.storage, storageStem(cycle.dataset, date, attempt), table.signal);
    if (!keepQuarantine) await deleteBelow(s3, buckets.quarantine, `${quarantineStem(cycle, chunk, attempt)}-`, table.signal);
    return;
  }
  const doomed = [
    [
      buckets.storage,
      Object.keys(dates)
        .sort()
        .map((date, index) => storageKey(cycle.dataset, date, attempt, index)),
    ],
    [buckets.quarantine, keepQuarantine ? [] : [quarantineKey(cycle, chunk, attempt)]],
  ] as const;
  for (const [bucket, keys] of doomed) await deleteKeys(s3, bucket, keys, table.signal);
}
