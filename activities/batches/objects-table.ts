import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AttributeValue, BatchWriteItemCommand, type DynamoDBClient, QueryCommand, type WriteRequest } from '@aws-sdk/client-dynamodb';
import { ApplicationFailure } from '@temporalio/common';
import { type CycleRef, generationPrefix } from '../../domain/cycle';
import type { RawObject } from '../../domain/documents';
import { FailureType } from '../../domain/failure-type';
import { forEachParallel } from '../for-each-parallel';

/** What became of an object version: nobody takes it again in any of these states. */
export type ObjectState = 'loaded' | 'set-aside';

const ITEMS_PER_WRITE = 25; // BatchWriteItem's limit
const WRITES_AT_ONCE = 8; // 200 of the 1,000 write units a second that a partition takes, at 1 KB an item
const MAX_TRIES = 10; // with the pauses below some 25 s, then Temporal's own retry takes over

/** Identifies one version of one object, however long its key: a sort key holds 1,024 bytes, and a key alone may have as many. */
export function objectSortKey(object: Pick<RawObject, 'key' | 'versionId'>): string {
  return createHash('sha256').update(`${object.key}\0${object.versionId}`).digest('hex');
}

function partitionKey(dataset: string, arrivalHour: string): string {
  return `${dataset}#${arrivalHour}`;
}

/** Sort keys of all object versions of an arrival hour that are loaded or set aside: one Query, not one read an object. */
export async function settledObjects(
  dynamodb: DynamoDBClient,
  table: string,
  dataset: string,
  arrivalHour: string,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const settled = new Set<string>();
  let startKey: QueryCommand['input']['ExclusiveStartKey'];
  do {
    const page = await dynamodb.send(
      new QueryCommand({
        TableName: table,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: partitionKey(dataset, arrivalHour) } },
        ProjectionExpression: 'sk',
        ConsistentRead: true,
        ...(startKey === undefined ? {} : { ExclusiveStartKey: startKey }),
      }),
      { abortSignal: signal },
    );
    for (const item of page.Items ?? []) if (item.sk?.S !== undefined) settled.add(item.sk.S);
    startKey = page.LastEvaluatedKey;
  } while (startKey !== undefined);
  return settled;
}

/** The item of one object version. */
export function objectKey(dataset: string, object: RawObject): Record<'pk' | 'sk', AttributeValue> {
  return { pk: { S: partitionKey(dataset, object.arrivalHour) }, sk: { S: objectSortKey(object) } };
}

export interface MarkInput {
  readonly cycle: CycleRef;
  readonly objects: readonly RawObject[];
  readonly state: ObjectState;
  readonly verdict?: string;
}

/**
 * Records what became of the objects. Idempotent by (key, version): the same item is written again. Items never expire.
 * @param onProgress - told how many more are written
 */
export async function writeObjectStates(
  dynamodb: DynamoDBClient,
  table: string,
  input: MarkInput,
  signal: AbortSignal,
  onProgress: (written: number) => void,
): Promise<void> {
  const writes = Array.from({ length: Math.ceil(input.objects.length / ITEMS_PER_WRITE) }, (_, index) => index * ITEMS_PER_WRITE);
  await forEachParallel(writes, WRITES_AT_ONCE, async (from) => {
    const requests = input.objects.slice(from, from + ITEMS_PER_WRITE).map((object) => putRequest(input, object));
    await writeAll(dynamodb, table, requests, signal);
    onProgress(requests.length);
  });
}

function putRequest({ cycle, state, verdict }: MarkInput, object: RawObject): WriteRequest {
  return {
    PutRequest: {
      Item: {
        ...objectKey(cycle.dataset, object),
        state: { S: state },
        objectKey: { S: object.key },
        versionId: { S: object.versionId },
        generation: { S: generationPrefix(cycle) },
        ...(verdict === undefined ? {} : { verdict: { S: verdict.slice(0, 300) } }), // an item of 1 KB costs one unit
      },
    },
  };
}

async function writeAll(
  dynamodb: DynamoDBClient,
  table: string,
  requests: WriteRequest[],
  signal: AbortSignal,
): Promise<void> {
  let rest = requests;
  for (let attempt = 1; rest.length > 0; attempt++) {
    const { UnprocessedItems } = await dynamodb.send(new BatchWriteItemCommand({ RequestItems: { [table]: rest } }), {
      abortSignal: signal,
    });
    rest = UnprocessedItems?.[table] ?? [];
    if (rest.length === 0) return;
    if (attempt === MAX_TRIES) {
      throw ApplicationFailure.create({
        message: `Table ${table} left ${rest.length} of ${requests.length} items unwritten after ${MAX_TRIES} tries: it throttles`,
        type: FailureType.Throttled,
      });
    }
    await sleep(Math.random() * Math.min(5_000, 50 * 2 ** attempt), undefined, { signal });
  }
}
