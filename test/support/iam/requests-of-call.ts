import type { AwsCall } from '../../faults/engines/aws-proxy';
import { ACCOUNT, type AccessRequest, REGION } from './role-policies';

type Json = Readonly<Record<string, unknown>>;
type Named = Readonly<Partial<Record<'DatabaseName' | 'TableName' | 'Role' | 'Name' | 'RunId' | 'ResultId', string>>>;

/** What IAM is asked for one call of an SDK; all of it must be allowed. @see the Service Authorization Reference of each service */
export function requestsOfCall(call: AwsCall): readonly AccessRequest[] {
  switch (call.service) {
    case 's3':
      return s3Requests(call);
    case 'dynamodb':
      return dynamodbRequests(call.operation, jsonOf(call));
    case 'glue':
      return glueRequests(call.operation, jsonOf(call));
    case 'emr-serverless':
      return emrRequests(call);
    case 'sns':
      return [{ action: 'sns:Publish', resource: String(new URLSearchParams(call.body.toString()).get('TopicArn')) }];
    case 'sqs':
      return [{ action: `sqs:${call.operation.replace(/Batch$/, '')}`, resource: queueArn(String(jsonOf(call)['QueueUrl'])) }];
    case 'monitoring':
      // The binary body of the protocol names the namespace in clear.
      return [{ action: `cloudwatch:${call.operation}`, resource: '*', context: { 'cloudwatch:namespace': call.body.includes('Meridian') ? 'Meridian' : 'unknown' } }];
    case 'sts':
      return [{ action: `sts:${call.operation}`, resource: String(new URLSearchParams(call.body.toString()).get('RoleArn')) }];
    default:
      return [{ action: `${call.service}:${call.operation}`, resource: call.path }];
  }
}

function s3Requests({ operation, path, query, body }: AwsCall): readonly AccessRequest[] {
  const object = `arn:aws:s3:::${path.replace(/^\//, '')}`;
  const bucket = `arn:aws:s3:::${path.split('/')[1] ?? ''}`;
  const prefix = query.get('prefix');
  const context = prefix === null ? {} : { 's3:prefix': prefix };
  switch (operation) {
    case 'GetObject':
    case 'HeadObject':
      return [{ action: query.has('versionId') ? 's3:GetObjectVersion' : 's3:GetObject', resource: object }];
    case 'ListObjectsV2':
      return [{ action: 's3:ListBucket', resource: bucket, context }];
    case 'ListObjectVersions':
      return [{ action: 's3:ListBucketVersions', resource: bucket, context }];
    case 'DeleteObjects':
      return [...body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => ({ action: 's3:DeleteObject', resource: `${bucket}/${key}` }));
    default:
      return [{ action: `s3:${operation}`, resource: object }];
  }
}

/** A transaction is allowed by the actions that it consists of. */
const OF_TRANSACTION: Readonly<Record<string, string>> = { ConditionCheck: 'ConditionCheckItem', Delete: 'DeleteItem', Put: 'PutItem', Update: 'UpdateItem' };

function dynamodbRequests(operation: string, input: Json): readonly AccessRequest[] {
  const on = (table: unknown) => `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/${String(table)}`;
  if (operation === 'TransactWriteItems') {
    return (input['TransactItems'] as readonly Readonly<Record<string, { readonly TableName: string }>>[]).flatMap((item) =>
      Object.entries(item).map(([kind, { TableName }]) => ({ action: `dynamodb:${OF_TRANSACTION[kind] ?? kind}`, resource: on(TableName) })),
    );
  }
  const tables = input['RequestItems'] === undefined ? [input['TableName']] : Object.keys(input['RequestItems'] as object);
  return tables.map((table) => ({ action: `dynamodb:${operation}`, resource: on(table) }));
}

function glueRequests(operation: string, input: Named): readonly AccessRequest[] {
  const action = `glue:${operation}`;
  const glue = (resource: string) => `arn:aws:glue:${REGION}:${ACCOUNT}:${resource}`;
  const { DatabaseName: database = '', TableName: table, Role: role } = input;
  if (table !== undefined) {
    return [glue('catalog'), glue(`database/${database}`), glue(`table/${database}/${table}`)].map((resource) => ({ action, resource }));
  }
  const run = { action, resource: glue(`dataQualityRuleset/${input.Name ?? input.RunId ?? input.ResultId ?? 'new'}`) };
  return role === undefined ? [run] : [run, passing(role, 'glue.amazonaws.com')];
}

function emrRequests(call: AwsCall): readonly AccessRequest[] {
  const [, , applicationId = '', , jobRunId = ''] = call.path.split('/');
  const application = `arn:aws:emr-serverless:${REGION}:${ACCOUNT}:/applications/${applicationId}`;
  const action = `emr-serverless:${call.operation}`;
  if (call.operation !== 'StartJobRun') return [{ action, resource: jobRunId === '' ? application : `${application}/jobruns/${jobRunId}` }];
  return [
    { action, resource: application },
    // Its tags are set on the run that it makes.
    { action: 'emr-serverless:TagResource', resource: `${application}/jobruns/new` },
    passing(jsonOf(call)['executionRoleArn'], 'emr-serverless.amazonaws.com'),
  ];
}

function passing(role: unknown, service: string): AccessRequest {
  return { action: 'iam:PassRole', resource: String(role), context: { 'iam:PassedToService': service } };
}

function queueArn(url: string): string {
  return `arn:aws:sqs:${REGION}:${ACCOUNT}:${url.split('/').at(-1)}`;
}

function jsonOf({ body }: AwsCall): Json {
  return JSON.parse(body.toString()) as Json;
}
