import { setTimeout as sleep } from 'node:timers/promises';
import {
  BatchGetItemCommand,
  type AttributeValue,
  type ConsumedCapacity,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  type QueryCommandInput,
  TransactWriteItemsCommand,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb';
import { ApplicationFailure } from '@temporalio/common';
import { FailureType } from '../../domain/failure-type';
import type { LedgerKey } from './keys';

export type Item = Readonly<Record<string, AttributeValue>>;

/** What the ledger cost, from DynamoDB's own answers. */
export interface LedgerCapacity {
  readonly readUnits: number;
  readonly writeUnits: number;
  /** Calls that were answered; the SDK's own retries are in it. */
  readonly requests: number;
}

/** What can be done with the ledger without changing it. */
export type LedgerReader = Pick<LedgerTable, 'get' | 'getMany' | 'query' | 'signal'>;

/** DynamoDB's word for "slower"; TransactionConflict comes as a cancellation reason and is the committer's. */
const THROTTLES = new Set([
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ThrottlingException',
  'TransactionInProgressException',
]);
const MAX_TRIES = 8; // some 12 s of pauses, then Temporal's own retry takes over

/** The ledger table as one activity attempt uses it: consistent reads, bounded back-off, cancellation, and a bill. */
export class LedgerTable {
  private readUnits = 0;
  private writeUnits = 0;
  private requests = 0;

  constructor(
    private readonly dynamodb: DynamoDBClient,
    private readonly table: string,
    readonly signal: AbortSignal,
  ) {}

  get capacity(): LedgerCapacity {
    return { readUnits: this.readUnits, writeUnits: this.writeUnits, requests: this.requests };
  }

  async get(key: LedgerKey): Promise<Item | undefined> {
    const { Item } = await this.patiently(() =>
      this.dynamodb.send(
        new GetItemCommand({
          TableName: this.table,
          Key: asKey(key),
          ConsistentRead: true,
          ReturnConsumedCapacity: 'TOTAL',
        }),
        { abortSignal: this.signal },
      ),
    );
    return Item;
  }

  /** Items of the keys that exist, in no order. */
  async getMany(keys: readonly LedgerKey[]): Promise<readonly Item[]> {
    const items: Item[] = [];
    let rest: Record<string, AttributeValue>[] = keys.map(asKey);
    for (let attempt = 1; rest.length > 0; attempt++) {
      const { Responses, UnprocessedKeys } = await this.patiently(() =>
        this.dynamodb.send(
          new BatchGetItemCommand({
            RequestItems: { [this.table]: { Keys: rest, ConsistentRead: true } },
            ReturnConsumedCapacity: 'TOTAL',
          }),
          { abortSignal: this.signal },
        ),
      );
      const found = Responses?.[this.table] ?? [];
      items.push(...found);
      rest = UnprocessedKeys?.[this.table]?.Keys ?? [];
      // A full response leaves the rest unprocessed by design (16 MB): only standing still is throttling.
      if (found.length > 0) attempt = 0;
      else if (rest.length > 0) await this.pause(attempt, 'BatchGetItem');
    }
    return items;
  }

  /** Items of a partition whose sort keys lie in `[from, to]`, in order. */
  async *query(pk: string, from: string, to: string, input: Partial<QueryCommandInput> = {}): AsyncGenerator<Item> {
    let startKey: Record<string, AttributeValue> | undefined;
    do {
      const page = await this.patiently(() =>
        this.dynamodb.send(
          new QueryCommand({
            TableName: this.table,
            KeyConditionExpression: 'pk = :pk and sk between :from and :to',
            ConsistentRead: true,
            ReturnConsumedCapacity: 'TOTAL',
            ...input,
            ExpressionAttributeValues: { ':pk': { S: pk }, ':from': { S: from }, ':to': { S: to } },
            ...(startKey === undefined ? {} : { ExclusiveStartKey: startKey }),
          }),
          { abortSignal: this.signal },
        ),
      );
      yield* page.Items ?? [];
      startKey = page.LastEvaluatedKey;
    } while (startKey !== undefined);
  }

  async put(item: Record<string, AttributeValue>): Promise<void> {
    await this.patiently(() =>
      this.dynamodb.send(new PutItemCommand({ TableName: this.table, Item: item, ReturnConsumedCapacity: 'TOTAL' }), {
        abortSignal: this.signal,
      }),
    );
  }

  async delete(key: LedgerKey): Promise<void> {
    await this.patiently(() =>
      this.dynamodb.send(
        new DeleteItemCommand({ TableName: this.table, Key: asKey(key), ReturnConsumedCapacity: 'TOTAL' }),
        {
          abortSignal: this.signal,
        },
      ),
    );
  }

  /** All or nothing. @throws TransactionCanceledException, with a reason for each item, as DynamoDB gives it */
  async transact(items: TransactWriteItem[]): Promise<void> {
    await this.patiently(() =>
      this.dynamodb.send(new TransactWriteItemsCommand({ TransactItems: items, ReturnConsumedCapacity: 'TOTAL' }), {
        abortSignal: this.signal,
      }),
    );
  }

  /** For building transactions. */
  get name(): string {
    return this.table;
  }

  /** Jittered and growing; @throws `Throttled`, retryable, once the tries are used up */
  async pause(attempt: number, what: string, cause?: Error): Promise<void> {
    if (attempt >= MAX_TRIES) {
      throw ApplicationFailure.create({
        message: `Table ${this.table}: ${what} was refused ${MAX_TRIES} times (${cause?.name ?? 'items left unprocessed'}): it throttles`,
        type: FailureType.Throttled,
        ...(cause === undefined ? {} : { cause }),
      });
    }
    await sleep(Math.random() * Math.min(4_000, 50 * 2 ** attempt), undefined, { signal: this.signal });
  }

  private async patiently<T extends Answer>(call: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await call();
        this.bill(answer);
        return answer;
      } catch (error) {
        if (!(error instanceof Error) || !THROTTLES.has(error.name)) throw error;
        await this.pause(attempt, 'a request', error);
      }
    }
  }

  private bill(answer: Answer): void {
    this.requests += answer.$metadata.attempts ?? 1;
    const consumed = answer.ConsumedCapacity ?? [];
    for (const each of Array.isArray(consumed) ? consumed : [consumed]) {
      // Single-operation answers give the total only; a transaction splits it.
      const writes = each.WriteCapacityUnits ?? (isWrite(answer) ? (each.CapacityUnits ?? 0) : 0);
      this.writeUnits += writes;
      this.readUnits += each.ReadCapacityUnits ?? (isWrite(answer) ? 0 : (each.CapacityUnits ?? 0));
    }
  }
}

interface Answer {
  readonly $metadata: { readonly attempts?: number | undefined };
  readonly ConsumedCapacity?: ConsumedCapacity | ConsumedCapacity[] | undefined;
}

/** Reads answer with what they found. */
function isWrite(answer: object): boolean {
  return !('Item' in answer || 'Items' in answer || 'Responses' in answer || 'Count' in answer);
}

function asKey(key: LedgerKey): Record<string, AttributeValue> {
  return { pk: { S: key.pk }, sk: { S: key.sk } };
}
