import { DeleteItemCommand, PutItemCommand, QueryCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { DeleteObjectCommand, GetObjectCommand, paginateListObjectsV2, PutObjectCommand } from '@aws-sdk/client-s3';
import type { Client } from '@temporalio/client';
import type { AuditAccess, AuditSubject } from './subject';

/** What a planted fault leaves. */
export interface Planted {
  readonly subject?: AuditSubject;
  readonly undo?: () => Promise<unknown>;
}

/** Deletes the first object below a prefix. */
export async function withoutObject(access: AuditAccess, bucket: string, prefix: string): Promise<Planted> {
  const [key = ''] = await keysBelow(access, bucket, prefix);
  const bytes = await bytesOf(access, bucket, key);
  await access.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
  return { undo: () => put(access, bucket, key, bytes) };
}

/** Keys below a prefix, in order. */
export async function keysBelow({ s3 }: AuditAccess, Bucket: string, Prefix: string): Promise<readonly string[]> {
  const keys: string[] = [];
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket, Prefix })) keys.push(...(page.Contents ?? []).map(({ Key = '' }) => Key));
  return keys;
}

/** @throws NoSuchKey */
export async function bytesOf({ s3 }: AuditAccess, Bucket: string, Key: string): Promise<Uint8Array> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
  return (await Body?.transformToByteArray()) ?? new Uint8Array();
}

/** Puts an object over whatever is there. */
export function put({ s3 }: AuditAccess, Bucket: string, Key: string, Body: Uint8Array): Promise<unknown> {
  return s3.send(new PutObjectCommand({ Bucket, Key, Body }));
}

/** The first item of a partition whose sort key begins so. */
async function firstItem({ dynamodb }: AuditAccess, TableName: string, pk: string, prefix: string) {
  const { Items = [] } = await dynamodb.send(
    new QueryCommand({
      TableName,
      KeyConditionExpression: 'pk = :pk and sk between :prefix and :end',
      ExpressionAttributeValues: { ':pk': { S: pk }, ':prefix': { S: prefix === '' ? '0' : prefix }, ':end': { S: `${prefix}~` } },
    }),
  );
  const [item] = Items;
  if (item?.pk === undefined || item.sk === undefined) throw new Error(`${pk} has no item that begins with ${prefix}: nothing to tamper with`);
  return { item, Key: { pk: item.pk, sk: item.sk } };
}

/** Deletes the first item of a partition, of the ledger unless said, whose sort key begins with `prefix`. */
export async function withoutItem(access: AuditAccess, pk: string, prefix: string, TableName = access.names.ledgerTable): Promise<Planted> {
  const { item, Key } = await firstItem(access, TableName, pk, prefix);
  await access.dynamodb.send(new DeleteItemCommand({ TableName, Key }));
  return { undo: () => access.dynamodb.send(new PutItemCommand({ TableName, Item: item })) };
}

/** Removes the first segment of the first attempt that an event date's log names. */
export async function withoutSegment(access: AuditAccess, datePartition: string): Promise<Planted> {
  const { item } = await firstItem(access, access.names.ledgerTable, datePartition, 'log#');
  return withoutItem(access, `${datePartition}#${item.attempt?.S}#000000`, 'segment');
}

/** Changes one attribute of the first ledger item of a partition whose sort key begins with `prefix`. */
export async function updateItem(access: AuditAccess, pk: string, prefix: string, name: string, value: string | number): Promise<Planted> {
  const { item, Key } = await firstItem(access, access.names.ledgerTable, pk, prefix);
  await access.dynamodb.send(
    new UpdateItemCommand({
      TableName: access.names.ledgerTable,
      Key,
      UpdateExpression: 'set #name = :value',
      ExpressionAttributeNames: { '#name': name },
      ExpressionAttributeValues: { ':value': typeof value === 'string' ? { S: value } : { N: String(value) } },
    }),
  );
  return { undo: () => access.dynamodb.send(new PutItemCommand({ TableName: access.names.ledgerTable, Item: item })) };
}

/** The same client, whose histories say that another activity was scheduled first. */
export function withOtherHistories(client: Client): Client {
  const workflow = Object.create(client.workflow) as Client['workflow'];
  workflow.getHandle = ((workflowId: string, runId?: string) => {
    const handle = client.workflow.getHandle(workflowId, runId);
    const fetchHistory = async () => {
      const history = await handle.fetchHistory();
      const scheduled = history.events?.find((event) => event.activityTaskScheduledEventAttributes != null)?.activityTaskScheduledEventAttributes;
      if (scheduled?.activityType != null) scheduled.activityType.name = 'somethingElse';
      return history;
    };
    return Object.assign(Object.create(handle) as typeof handle, { fetchHistory });
  }) as typeof workflow.getHandle;
  return Object.assign(Object.create(client) as Client, { workflow });
}
