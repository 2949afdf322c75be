import { setTimeout as sleep } from 'node:timers/promises';
import { BatchWriteItemCommand, type DynamoDBClient, paginateScan, type WriteRequest } from '@aws-sdk/client-dynamodb';

const ITEMS_PER_WRITE = 25; // BatchWriteItem's limit
const MAX_TRIES = 20;

/** Deletes every item of a dataset, whose partition keys begin with `<dataset>#`; returns how many. Safe to run twice. */
export async function deleteDataset(dynamodb: DynamoDBClient, table: string, dataset: string): Promise<number> {
  let deleted = 0;
  const pages = paginateScan(
    { client: dynamodb },
    {
      TableName: table,
      FilterExpression: 'begins_with(pk, :prefix)',
      ExpressionAttributeValues: { ':prefix': { S: `${dataset}#` } },
      ProjectionExpression: 'pk, sk',
      ConsistentRead: true,
    },
  );
  for await (const { Items: items = [] } of pages) {
    for (let from = 0; from < items.length; from += ITEMS_PER_WRITE) {
      const batch = items.slice(from, from + ITEMS_PER_WRITE);
      await writeAll(dynamodb, table, batch.map((Key) => ({ DeleteRequest: { Key } })));
      deleted += batch.length;
    }
  }
  return deleted;
}

async function writeAll(dynamodb: DynamoDBClient, table: string, requests: readonly WriteRequest[]): Promise<void> {
  let rest: readonly WriteRequest[] = requests;
  for (let attempt = 1; rest.length > 0; attempt += 1) {
    if (attempt > MAX_TRIES) throw new Error(`Table ${table} left ${rest.length} deletes undone after ${MAX_TRIES} tries: it throttles`);
    const { UnprocessedItems } = await dynamodb.send(new BatchWriteItemCommand({ RequestItems: { [table]: [...rest] } }));
    rest = UnprocessedItems?.[table] ?? [];
    if (rest.length > 0) await sleep(50 * attempt);
  }
}
