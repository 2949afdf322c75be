import { DeleteItemCommand, paginateQuery, UpdateItemCommand, UpdateTimeToLiveCommand } from '@aws-sdk/client-dynamodb';
import { at } from './faults';
import type { Fault, Scene } from './scene';

const LONG_AGO_S = 1;

/**
 * The night is cancelled, so that what it stored is void; then its log entries reach their TTL, and DynamoDB, which deletes late and in
 * any order, has deleted those that say "void" and not those that they void.
 */
export const expiredLog: Fault = at(
  'cancel; its log entries expire, half of them are deleted',
  'before',
  async (scene) => {
    await (await scene.night).cancel();
    scene.beside(expire(scene));
  },
  ['cancelled'],
);

async function expire({ lab, spec, night }: Scene): Promise<void> {
  await (await night).result().catch(() => undefined);
  const { dynamodb, names } = lab.access;
  // The local DynamoDB deletes all that has expired within a minute; the real one within days.
  await dynamodb.send(new UpdateTimeToLiveCommand({ TableName: names.ledgerTable, TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: false } }));
  const chunks = await partition(lab, `${spec.dataset}#chunks`);
  const dates = new Set(chunks.filter((chunk) => chunk.state?.S === 'voided').flatMap((chunk) => Object.keys(chunk.dates?.M ?? {})));
  if (dates.size === 0) throw new Error(`the cancelled night of ${spec.dataset} had voided nothing: nothing could expire`);
  for (const date of dates) {
    const log = (await partition(lab, `${spec.dataset}#${date}`)).filter((item) => item.sk?.S?.startsWith('log#'));
    const voided = new Set(log.filter((entry) => entry.kind?.S === 'void').map((entry) => entry.attempt?.S));
    for (const { pk, sk, kind, attempt } of log) {
      if (pk === undefined || sk === undefined || !voided.has(attempt?.S)) continue;
      const item = { TableName: names.ledgerTable, Key: { pk, sk } };
      if (kind?.S === 'void') await dynamodb.send(new DeleteItemCommand(item));
      else {
        const expired = { UpdateExpression: 'set #ttl = :ttl', ExpressionAttributeNames: { '#ttl': 'ttl' } };
        await dynamodb.send(new UpdateItemCommand({ ...item, ...expired, ExpressionAttributeValues: { ':ttl': { N: String(LONG_AGO_S) } } }));
      }
    }
  }
}

async function partition({ access: { dynamodb, names } }: Scene['lab'], pk: string) {
  const items = [];
  const query = { TableName: names.ledgerTable, KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': { S: pk } }, ConsistentRead: true };
  for await (const page of paginateQuery({ client: dynamodb }, query)) items.push(...(page.Items ?? []));
  return items;
}
