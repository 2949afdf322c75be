import { type AttributeValue, BatchGetItemCommand, DynamoDBClient, GetItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { meterReads } from '../../bench/engines/read-meter';

const KB = 1_024;
/** With its names and keys an item of so many bytes. */
const item = (bytes: number): Record<string, AttributeValue> => ({ pk: { S: 'a' }, sk: { S: 'b' }, fingerprints: { B: new Uint8Array(bytes - 18) } });

/** A client whose answers are given; what it is asked goes through the meter as it would on its way to DynamoDB. */
function answering(output: object) {
  const client = new DynamoDBClient({ region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } });
  client.middlewareStack.add(() => async () => ({ response: {}, output: { $metadata: {}, ...output } }), { step: 'initialize', priority: 'low' });
  return { client, meter: meterReads(client) };
}

describe('read units by DynamoDB’s rules (X12)', () => {
  test.each([[0, 1], [4 * KB, 1], [4 * KB + 1, 2], [350 * KB, 88]])('an item of %d bytes is %d unit(s)', async (bytes, units) => {
    const { client, meter } = answering(bytes === 0 ? {} : { Item: item(bytes) });
    await client.send(new GetItemCommand({ TableName: 't', Key: { pk: { S: 'a' }, sk: { S: 'b' } }, ConsistentRead: true }));
    expect([meter.units, meter.partitions]).toEqual([units, ['a']]);
    meter.reset();
    expect([meter.units, meter.partitions]).toEqual([0, []]);
  });

  test('a page of a Query is rounded up once, items of a BatchGetItem each, and one that is not there is a unit', async () => {
    const query = answering({ Items: [item(KB), item(KB), item(3 * KB)] });
    await query.client.send(new QueryCommand({ TableName: 't', KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': { S: 'night' } }, ConsistentRead: true }));
    expect([query.meter.units, query.meter.partitions]).toEqual([2, ['night']]);

    const batch = answering({ Responses: { t: [item(KB), item(5 * KB)] } });
    const Keys = ['x', 'y', 'z'].map((pk) => ({ pk: { S: pk }, sk: { S: 'segment' } }));
    await batch.client.send(new BatchGetItemCommand({ RequestItems: { t: { Keys, ConsistentRead: true } } }));
    expect([batch.meter.units, batch.meter.partitions]).toEqual([4, ['x', 'y', 'z']]);
  });

  test('writes are none', async () => {
    const { client, meter } = answering({ ConsumedCapacity: { CapacityUnits: 350 } });
    await client.send(new PutItemCommand({ TableName: 't', Item: item(350 * KB) }));
    expect([meter.units, meter.partitions]).toEqual([0, []]);
  });
});
