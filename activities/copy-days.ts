import { ApplicationFailure } from '@temporalio/common';
import { sql } from 'kysely';
import type { Pool } from 'pg';
import type { CopyPart } from '../domain/documents';
import { FailureType } from '../domain/failure-type';
import type { ColumnSpec } from '../domain/pipeline-spec';
import type { DayCopy } from '../domain/refresh';
import { onClient } from '../sql/database';
import { markTransaction } from '../sql/queries/backends';
import { claimPart } from '../sql/queries/load-parts';
import { copyRows } from '../sql/queries/version-days';
import { shareVersion, type VersionRow } from '../sql/queries/versions';
import { candidateGone } from './candidate-failures';
import { withCancellableClient } from './long-statement';

export interface CopyDaysInput {
  readonly pool: Pool;
  readonly candidate: VersionRow;
  /** The version that has the rows already. */
  readonly base: VersionRow;
  /** The relation's column of days. */
  readonly by: ColumnSpec;
  readonly copy: DayCopy;
}

const SLOWEST_ROWS_PER_MS = 10; // ten thousand a second, copied or passed over: below that something is wrong
const CLAIM_WAIT = '30s'; // another attempt has the copy; ours fails, and is tried again

/** How the load ledger names a copy, beside the parts of the job. */
export function copyUri(base: VersionRow, { first, last }: DayCopy): string {
  return `postgresql:${base.table}/${first}..${last}`;
}

/**
 * Copies a range of days from the base's table, inside the database and in one transaction with its ledger row, which comes first.
 * Idempotent by (relation, version, copy). The base cannot be dropped meanwhile: its row is shared to the end of the transaction.
 * @returns false when the rows were in already
 * @throws `CandidateGone`, also for a base that was dropped; `CountsDoNotAddUp` when it has not the rows on record; not retryable
 */
export async function copyDays({ pool, candidate, base, by, copy }: CopyDaysInput): Promise<boolean> {
  const part: CopyPart = { uri: copyUri(base, copy), etag: `version ${base.version}`, rows: copy.rows, sizeBytes: 0 };
  return await withCancellableClient(pool, (client) =>
    onClient(client)
      .transaction()
      .execute(async (trx) => {
        const budgetMs = 60_000 + Math.ceil((copy.rows + (base.rows ?? 0)) / SLOWEST_ROWS_PER_MS);
        await sql`select set_config('lock_timeout', ${CLAIM_WAIT}, true), set_config('statement_timeout', ${`${budgetMs}ms`}, true)`.execute(trx);
        await markTransaction(trx);
        if (!(await claimPart(trx, candidate, part))) return false;
        const state = await shareVersion(trx, candidate);
        if (state !== 'loading') throw candidateGone(candidate, state);
        const baseState = await shareVersion(trx, base);
        if (baseState === undefined || baseState === 'loading' || baseState === 'dropped') {
          throw ApplicationFailure.nonRetryable(
            `${base.table}, whose unchanged days ${candidate.table} takes over, is ${baseState ?? 'unknown'}: run the cycle again, from transform where its records are stored`,
            FailureType.CandidateGone,
          );
        }
        const rows = await copyRows(trx, { ...copy, from: base.table, to: candidate.table, columns: candidate.columns, by });
        if (rows === copy.rows) return true;
        throw ApplicationFailure.nonRetryable(
          `${base.table} has ${rows} rows of ${copy.first} to ${copy.last}, expected the ${copy.rows} on record: nothing was copied; rebuild all days with \`meridian run --full\``,
          FailureType.CountsDoNotAddUp,
        );
      }),
  );
}
