import type { LocalAws } from './local-aws';

/** A call that lists something, in the words of its service's protocol: JSON with a target, else a query. */
interface Listing {
  readonly service: string;
  readonly target?: string;
  readonly action?: string;
  readonly path?: string;
  /** Finds the names in the answer. */
  readonly names: RegExp;
}

/** What the templates hold, service by service. Not by the SDK: several of these clients the project does not need otherwise. */
const LISTINGS: readonly Listing[] = [
  { service: 's3', path: '/', names: /<Name>([^<]+)/g },
  { service: 'dynamodb', target: 'DynamoDB_20120810.ListTables', names: /"([^"]+)"(?=[,\]])/g },
  { service: 'sqs', target: 'AmazonSQS.ListQueues', names: /"(http[^"]+)"/g },
  { service: 'sns', action: 'ListTopics', names: /<TopicArn>([^<]+)/g },
  { service: 'sns', action: 'ListSubscriptions', names: /<SubscriptionArn>([^<]+)/g },
  { service: 'events', target: 'AWSEvents.ListRules', names: /"Arn": ?"([^"]+)/g },
  { service: 'monitoring', action: 'DescribeAlarms', names: /<AlarmName>([^<]+)/g },
  { service: 'monitoring', action: 'ListDashboards', names: /<DashboardName>([^<]+)/g },
  { service: 'iam', action: 'ListRoles', names: /<RoleName>([^<]+)/g },
  { service: 'iam', action: 'ListPolicies', names: /<PolicyName>([^<]+)/g },
  { service: 'kms', target: 'TrentService.ListAliases', names: /"AliasName": ?"([^"]+)/g },
  { service: 'logs', target: 'Logs_20140328.DescribeLogGroups', names: /"logGroupName": ?"([^"]+)/g },
  { service: 'ecr', target: 'AmazonEC2ContainerRegistry_V20150921.DescribeRepositories', names: /"repositoryName": ?"([^"]+)/g },
  { service: 'glue', target: 'AWSGlue.GetDatabases', names: /"Name": ?"([^"]+)/g },
  { service: 'glue', target: 'AWSGlue.ListDataQualityRulesets', names: /"Name": ?"([^"]+)/g },
  { service: 'emr-serverless', path: '/applications?states=CREATED&states=STARTED&states=STOPPED', names: /"id": ?"([^"]+)/g },
];

/** Names of everything that the emulator has in the region, of the kinds that our templates hold. */
export async function everythingIn(aws: LocalAws, region: string): Promise<readonly string[]> {
  const found = await Promise.all(LISTINGS.map(async (listing) => [listing, await list(aws, region, listing)] as const));
  return found
    .flatMap(([{ service, action, target, names }, text]) =>
      [...text.matchAll(names)].map(([, name]) => `${service} ${action ?? target ?? ''} ${name}`),
    )
    .sort();
}

async function list(aws: LocalAws, region: string, { service, target, action, path }: Listing): Promise<string> {
  // The emulator does not check signatures; it knows a service by the scope of the credentials.
  const authorization = `AWS4-HMAC-SHA256 Credential=local/20260101/${region}/${service}/aws4_request, SignedHeaders=host, Signature=none`;
  const answer = await fetch(`${aws.endpoint}${path ?? '/'}`, {
    method: path === undefined ? 'POST' : 'GET',
    headers: {
      authorization,
      ...(target === undefined ? {} : { 'x-amz-target': target, 'content-type': 'application/x-amz-json-1.1' }),
      ...(action === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    },
    ...(target === undefined ? {} : { body: '{}' }),
    ...(action === undefined ? {} : { body: `Action=${action}&Version=2010-05-08` }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${service} ${target ?? action ?? path}: ${answer.status} ${text}`);
  return text;
}
