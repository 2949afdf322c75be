import { CreateTableCommand, type DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { forEachParallel } from '../../../activities/for-each-parallel';

const TABLE = 'item-per-record';
const AT_ONCE = 16;

export interface ItemCost {
  readonly requests: number;
  readonly writeUnits: number;
  readonly seconds: number;
}

/** The textbook: a conditional put for each record, which fails for one that is there; batches and transactions take no condition or double units. */
export async function itemPerRecord(dynamodb: DynamoDBClient, records: number): Promise<ItemCost> {
  await dynamodb.send(
    new CreateTableCommand({
      TableName: TABLE,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    }),
  );
  let writeUnits = 0;
  const startedAt = performance.now();
  const ids = Array.from({ length: records }, (_, index) => index);
  await forEachParallel(ids, AT_ONCE, async (id) => {
    const { ConsumedCapacity } = await dynamodb.send(
      new PutItemCommand({
        TableName: TABLE,
        Item: { pk: { S: `2018-08-01T00:00:00Z#${id}` }, ttl: { N: '1533600000' } },
        ConditionExpression: 'attribute_not_exists(pk)',
        ReturnConsumedCapacity: 'TOTAL',
      }),
    );
    writeUnits += ConsumedCapacity?.WriteCapacityUnits ?? ConsumedCapacity?.CapacityUnits ?? Number.NaN;
  });
  return { requests: records, writeUnits, seconds: (performance.now() - startedAt) / 1_000 };
}
