import { ApplicationFailure } from '@temporalio/common';
import type { Kysely } from 'kysely';
import type { Pool } from 'pg';
import { FailureType } from '../domain/failure-type';
import type { RelationSpec } from '../domain/pipeline-spec';
import { onClient } from '../sql/database';
import { markTransaction } from '../sql/queries/backends';
import { countRepeatedKeys, countRows, createIndex, createUniqueKey } from '../sql/queries/candidate-tables';
import { sumLoadedParts } from '../sql/queries/load-parts';
import { noteDays } from '../sql/queries/version-days';
import { lockVersion, markLoaded, type VersionRow } from '../sql/queries/versions';
import type { Database } from '../sql/schema';
import { candidateGone, sqlState } from './candidate-failures';
import type { MadeDays } from './load-refresh';
import { heartbeating, withCancellableClient } from './long-statement';

const UNIQUE_VIOLATION = '23505';

/**
 * Validates and indexes a candidate, a transaction a step, each alone with the candidate: a retry skips the indexes that are
 * there, and two attempts never build the same one at once. Statements may take long; they heartbeat and can be cancelled.
 */
export async function finishTable(
  pool: Pool,
  candidate: VersionRow,
  relation: RelationSpec,
  expected: { readonly rows: number; readonly parts: number; readonly made?: MadeDays },
): Promise<void> {
  let step = 'count';
  const alone = (name: string, body: (trx: Kysely<Database>) => Promise<void>) => {
    step = name;
    return withCancellableClient(pool, (client) =>
      onClient(client)
        .transaction()
        .execute(async (trx) => {
          await markTransaction(trx);
          const state = await lockVersion(trx, candidate);
          if (state === 'loaded') return; // by another attempt, meanwhile
          if (state !== 'loading') throw candidateGone(candidate, state);
          await body(trx);
        }),
    );
  };
  await heartbeating(
    () => ({ step }),
    async () => {
      await alone('count', (trx) => proveCounts(trx, candidate, relation, expected));
      await alone('key', (trx) => proveKey(trx, pool, candidate, relation));
      for (const [n, index] of relation.indexes.entries()) {
        await alone(`index ${n + 1} of ${relation.indexes.length}`, (trx) => createIndex(trx, candidate.table, index, n + 1));
      }
      // Nothing can have come in since the count: the ledger takes each part once, and all of them were there.
      await alone('close', async (trx) => {
        if (expected.made !== undefined) await noteDays(trx, candidate, expected.made.refresh, expected.made.days);
        await markLoaded(trx, candidate, expected.rows);
      });
    },
  );
}

async function proveCounts(
  trx: Kysely<Database>,
  candidate: VersionRow,
  relation: RelationSpec,
  expected: { readonly rows: number; readonly parts: number },
): Promise<void> {
  const ledger = await sumLoadedParts(trx, candidate);
  const counted = await countRows(trx, candidate.table);
  if (ledger.parts !== expected.parts || ledger.rows !== expected.rows || counted !== expected.rows) {
    throw ApplicationFailure.nonRetryable(
      `${candidate.table} is not what the job wrote: expected ${expected.rows} rows in ${expected.parts} parts, the load ledger has ` +
        `${ledger.rows} in ${ledger.parts}, the table ${counted}; it will not be promoted`,
      FailureType.CountsDoNotAddUp,
    );
  }
  if (counted === 0 && !relation.mayBeEmpty) {
    throw ApplicationFailure.nonRetryable(
      `${candidate.table} is empty, and "${relation.name}" is not declared to be allowed so: readers keep the version they have`,
      FailureType.EmptyOutput,
    );
  }
}

async function proveKey(trx: Kysely<Database>, pool: Pool, candidate: VersionRow, relation: RelationSpec): Promise<void> {
  try {
    await createUniqueKey(trx, candidate.table, relation.key);
  } catch (error) {
    if (sqlState(error) !== UNIQUE_VIOLATION) throw error;
    // Counted, not quoted: the values are data, which history must not hold. The failed transaction cannot count any more.
    const repeated = await withCancellableClient(pool, (client) => countRepeatedKeys(onClient(client), candidate.table, relation.key));
    throw ApplicationFailure.nonRetryable(
      `${candidate.table} has ${repeated} repeated keys (${relation.key.join(', ')}), expected each once: it will not be promoted`,
      FailureType.CandidateInvalid,
    );
  }
}
