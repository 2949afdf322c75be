import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import { sql } from 'kysely';
import { type Pool, type PoolClient, escapeIdentifier } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import type { CopyPart } from '../domain/documents';
import { FailureType } from '../domain/failure-type';
import { onClient } from '../sql/database';
import { markTransaction } from '../sql/queries/backends';
import { SERVING_SCHEMA } from '../sql/queries/candidate-tables';
import { claimPart } from '../sql/queries/load-parts';
import { shareVersion, type VersionRow } from '../sql/queries/versions';
import { candidateGone, sqlState } from './candidate-failures';
import { openPart } from './part-stream';

export interface LoadPartInput {
  readonly pool: Pool;
  readonly s3: S3Client;
  readonly candidate: VersionRow;
  readonly part: CopyPart;
  /** Longest wait for the next bytes of the part, milliseconds. */
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

const SLOWEST_BYTES_PER_MS = 1_000; // 1 MB/s: below that something is wrong, and the claim must not be held for ever
const CLAIM_WAIT = '30s'; // another attempt has the part; ours fails, and is tried again
const STALLED_CLIENT = '60s'; // a worker that was stopped in the middle: the server ends its transaction

/**
 * Copies one part into a candidate, in one transaction with its ledger row, which comes first. Idempotent by (relation,
 * version, part): when the row is there already, nothing is copied.
 * @returns false when the part was in already
 * @throws `CandidateGone`, `ObjectVanished`, `JobOutputInvalid`, not retryable; `ObjectDamaged`
 */
export async function loadPart({ pool, s3, candidate, part, idleMs, signal }: LoadPartInput): Promise<boolean> {
  signal.throwIfAborted();
  const client = await pool.connect();
  client.on('error', ignore);
  let failed = true;
  try {
    const loaded = await onClient(client)
      .transaction()
      .execute(async (trx) => {
        const budgetMs = 60_000 + Math.ceil(part.sizeBytes / SLOWEST_BYTES_PER_MS);
        await sql`select set_config('lock_timeout', ${CLAIM_WAIT}, true), set_config('statement_timeout', ${`${budgetMs}ms`}, true),
                         set_config('idle_in_transaction_session_timeout', ${STALLED_CLIENT}, true)`.execute(trx);
        await markTransaction(trx);
        if (!(await claimPart(trx, candidate, part))) return false;
        const state = await shareVersion(trx, candidate);
        if (state !== 'loading') throw candidateGone(candidate, state);
        await copy(client, candidate, part, await openPart(s3, part, idleMs, signal), signal);
        return true;
      });
    failed = false;
    return loaded;
  } finally {
    client.off('error', ignore);
    client.release(failed);
  }
}

async function copy(
  client: PoolClient,
  candidate: VersionRow,
  part: CopyPart,
  bytes: Readable,
  signal: AbortSignal,
): Promise<void> {
  const columns = candidate.columns.map((column) => escapeIdentifier(column.name)).join(', ');
  const table = `${escapeIdentifier(SERVING_SCHEMA)}.${escapeIdentifier(candidate.table)}`;
  const stream = client.query(copyFrom(`copy ${table} (${columns}) from stdin (format binary)`));
  try {
    await pipeline(bytes, stream, { signal });
  } catch (error) {
    // Class 22, data exception: the same bytes will be refused again.
    throw sqlState(error)?.startsWith('22') === true
      ? ApplicationFailure.nonRetryable(
          `PostgreSQL refused COPY part ${part.uri} for ${candidate.table}: ${(error as Error).message}; expected the binary format with the declared columns`,
          FailureType.JobOutputInvalid,
        )
      : error;
  }
  if (stream.rowCount !== part.rows) {
    throw ApplicationFailure.nonRetryable(
      `COPY part ${part.uri} holds ${stream.rowCount} rows, its manifest says ${part.rows}: nothing of it was loaded`,
      FailureType.JobOutputInvalid,
    );
  }
}

function ignore(): void {}
