import {
  type CancellationReason,
  TransactionCanceledException,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb';
import { ApplicationFailure } from '@temporalio/common';
import { type CycleRef, generationPrefix } from '../../domain/cycle';
import { FailureType } from '../../domain/failure-type';
import { fenceKey, voidMarkerKey } from './keys';
import type { LedgerTable } from './ledger-table';

/** What stood in the way of a transaction, by the caller's names for its items; `fence` and `void marker` are ours. */
export type CommitOutcome =
  { readonly committed: true } | { readonly committed: false; readonly refused: readonly string[] };

export interface NamedItem {
  readonly name: string;
  readonly item: TransactWriteItem;
}

const PASSING = new Set(['TransactionConflict', 'ThrottlingError', 'ProvisionedThroughputExceeded']);

/**
 * Writes all items in one transaction, under the turn's epoch. Another transaction at the same items at the same moment, or
 * throttling, is tried again with bounded back-off; a condition that does not hold is the caller's to understand.
 * @throws `TurnLost`, `LedgerRefused`, not retryable; `Throttled`
 */
export async function commitUnderFence(
  table: LedgerTable,
  dataset: string,
  epoch: number,
  items: readonly NamedItem[],
): Promise<CommitOutcome> {
  const fence = fenceKey(dataset);
  const named: readonly NamedItem[] = [
    ...items,
    {
      name: 'fence',
      item: {
        ConditionCheck: {
          TableName: table.name,
          Key: { pk: { S: fence.pk }, sk: { S: fence.sk } },
          ConditionExpression: 'epoch = :epoch',
          ExpressionAttributeValues: { ':epoch': { N: String(epoch) } },
        },
      },
    },
  ];
  for (let attempt = 1; ; attempt++) {
    try {
      await table.transact(named.map(({ item }) => item));
      return { committed: true };
    } catch (error) {
      if (!(error instanceof TransactionCanceledException)) throw error;
      const reasons = error.CancellationReasons ?? [];
      const refused = named
        .filter((_, index) => reasons[index]?.Code === 'ConditionalCheckFailed')
        .map(({ name }) => name);
      if (refused.includes('fence')) throw await turnLost(table, dataset, epoch);
      if (refused.length > 0) return { committed: false, refused };
      if (!reasons.some((reason) => PASSING.has(reason.Code ?? ''))) throw refusedForGood(table, reasons, error);
      await table.pause(attempt, 'a transaction', error);
    }
  }
}

/** Holds for as long as nobody has voided the generation. */
export function notVoided(table: LedgerTable, cycle: CycleRef): NamedItem {
  const key = voidMarkerKey(cycle);
  return {
    name: 'void marker',
    item: {
      ConditionCheck: {
        TableName: table.name,
        Key: { pk: { S: key.pk }, sk: { S: key.sk } },
        ConditionExpression: 'attribute_not_exists(pk)',
      },
    },
  };
}

export function generationVoided(cycle: CycleRef): ApplicationFailure {
  return ApplicationFailure.nonRetryable(
    `The chunks of ${generationPrefix(cycle)} were voided: nothing more can be stored under this generation. ` +
      'Start the cycle again, which raises the generation',
    FailureType.LedgerRefused,
  );
}

async function turnLost(table: LedgerTable, dataset: string, epoch: number): Promise<ApplicationFailure> {
  const found = (await table.get(fenceKey(dataset)))?.epoch?.N;
  return ApplicationFailure.nonRetryable(
    found === undefined
      ? `Dataset "${dataset}" has no fence: expected epoch ${epoch}. Raise it with the turn before anything commits`
      : `Dataset "${dataset}" is under epoch ${found}: this attempt holds ${epoch}, so another cycle has the turn. Nothing was stored`,
    FailureType.TurnLost,
  );
}

function refusedForGood(table: LedgerTable, reasons: readonly CancellationReason[], cause: Error): ApplicationFailure {
  const codes = reasons.map((reason) => `${reason.Code}${reason.Message === undefined ? '' : ` (${reason.Message})`}`);
  return ApplicationFailure.create({
    message: `Table ${table.name} refused a transaction of ${reasons.length} items for good: ${codes.join(', ')}`,
    type: FailureType.LedgerRefused,
    nonRetryable: true,
    cause,
  });
}
