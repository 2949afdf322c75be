import { CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { CreateApplicationCommand, EMRServerlessClient, ListJobRunsCommand, StartJobRunCommand } from '@aws-sdk/client-emr-serverless';
import {
  BatchCreatePartitionCommand,
  CreateDataQualityRulesetCommand,
  DeleteTableCommand,
  GetTableCommand,
  GlueClient,
  StartDataQualityRulesetEvaluationRunCommand,
} from '@aws-sdk/client-glue';
import { DeleteObjectCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import type { ActivityGroup } from '../../domain/activity-groups';
import type { WorkerConfig } from '../../worker/config';

/** Whoever has credentials of its own: the groups of activities, and those that jobs run as. */
export type Actor = ActivityGroup | 'worker' | 'sparkJob' | 'dedupJob' | 'quality';

/** Clients of one actor. */
export interface ActorClients {
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
  readonly emr: EMRServerlessClient;
  readonly glue: GlueClient;
  readonly sns: SNSClient;
  readonly sqs: SQSClient;
  readonly cloudwatch: CloudWatchClient;
}

/** A call, and who alone may make it. */
export interface GuardedCall {
  readonly action: string;
  readonly on: string;
  readonly by: readonly Actor[];
  readonly send: (clients: ActorClients, config: WorkerConfig, table: string) => Promise<unknown>;
}

/** Of a role's session. */
export interface SessionCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

/** Clients with one attempt: a refusal is not asked for twice. */
export function actorClients(endpoint: string, region: string, credentials: SessionCredentials): ActorClients {
  const aws = { endpoint, region, credentials, maxAttempts: 1 };
  return {
    s3: new S3Client(aws),
    dynamodb: new DynamoDBClient(aws),
    emr: new EMRServerlessClient(aws),
    glue: new GlueClient(aws),
    sns: new SNSClient(aws),
    sqs: new SQSClient(aws),
    cloudwatch: new CloudWatchClient(aws),
  };
}

const KEY = 'refused/object';
const put = (zone: keyof WorkerConfig['buckets'], prefix: string, by: readonly Actor[]): GuardedCall => ({
  action: 's3:PutObject',
  on: `${zone}/${prefix}*`,
  by,
  send: ({ s3 }, { buckets }) => s3.send(new PutObjectCommand({ Bucket: buckets[zone], Key: `${prefix}${KEY}`, Body: 'refused' })),
});
const get = (zone: keyof WorkerConfig['buckets'], prefix: string, by: readonly Actor[]): GuardedCall => ({
  action: 's3:GetObject',
  on: `${zone}/${prefix}*`,
  by,
  send: ({ s3 }, { buckets }) => s3.send(new GetObjectCommand({ Bucket: buckets[zone], Key: `${prefix}${KEY}` })),
});
const startJob = (roleOf: (config: WorkerConfig) => string, action: string, by: readonly Actor[]): GuardedCall => ({
  action,
  on: action === 'iam:PassRole' ? 'the quality role, for EMR Serverless' : 'the application',
  by,
  send: ({ emr }, config) =>
    emr.send(
      new StartJobRunCommand({
        applicationId: config.emrApplicationId,
        clientToken: 'refused',
        executionRoleArn: roleOf(config),
        jobDriver: { sparkSubmit: { entryPoint: `s3://${config.buckets.artifacts}/jobs/positions.py` } },
      }),
    ),
});
const startCheck = ({ glue }: ActorClients, { glueDatabase, glueRoleArn }: WorkerConfig, TableName: string) =>
  glue.send(
    new StartDataQualityRulesetEvaluationRunCommand({
      DataSource: { GlueTable: { DatabaseName: glueDatabase, TableName } },
      Role: glueRoleArn,
      RulesetNames: ['refused'],
    }),
  );

/** One or more calls of every service, by what would go wrong if anybody could make them. */
export const GUARDED_CALLS: readonly GuardedCall[] = [
  put('raw', '', []),
  put('storage', '', ['ingest', 'dedupJob']),
  put('refined', '', ['sparkJob']),
  put('quarantine', '', ['ingest', 'sparkJob', 'dedupJob']),
  put('artifacts', 'cycles/', ['ingest', 'transform']),
  put('artifacts', 'dry-runs/', ['dryRun']),
  put('artifacts', 'jobs/', []),
  put('artifacts', 'logs/', ['sparkJob', 'dedupJob']),
  put('artifacts', 'archive/histories/', ['archive']),
  get('raw', '', ['ingest', 'dryRun', 'dedupJob']),
  get('artifacts', 'archive/histories/', []),
  {
    action: 's3:DeleteObject',
    on: 'refined/*',
    by: ['sparkJob'],
    send: ({ s3 }, { buckets }) => s3.send(new DeleteObjectCommand({ Bucket: buckets.refined, Key: KEY })),
  },
  {
    action: 'dynamodb:PutItem',
    on: 'the ledger',
    by: ['ingest'],
    send: ({ dynamodb }, { ledgerTable }) => dynamodb.send(new PutItemCommand({ TableName: ledgerTable, Item: { pk: { S: 'refused' }, sk: { S: 'refused' } } })),
  },
  {
    action: 'dynamodb:Query',
    on: 'the ledger',
    by: ['ingest', 'dryRun', 'transform', 'publish'],
    send: ({ dynamodb }, { ledgerTable }) =>
      dynamodb.send(new QueryCommand({ TableName: ledgerTable, KeyConditionExpression: 'pk = :pk', ExpressionAttributeValues: { ':pk': { S: 'refused' } } })),
  },
  startJob(({ emrJobRoleArn }) => emrJobRoleArn, 'emr-serverless:StartJobRun', ['transform']),
  startJob(({ emrDedupRoleArn }) => emrDedupRoleArn, 'emr-serverless:StartJobRun', ['transform']),
  {
    action: 'emr-serverless:ListJobRuns',
    on: 'the application',
    by: ['transform'],
    send: ({ emr }, { emrApplicationId }) => emr.send(new ListJobRunsCommand({ applicationId: emrApplicationId })),
  },
  {
    action: 'emr-serverless:CreateApplication',
    on: 'any application',
    by: [],
    send: ({ emr }) => emr.send(new CreateApplicationCommand({ name: 'refused', releaseLabel: 'emr-7.5.0', type: 'SPARK', clientToken: 'refused' })),
  },
  { action: 'glue:StartDataQualityRulesetEvaluationRun', on: 'a ruleset', by: ['gate'], send: startCheck },
  {
    action: 'glue:CreateDataQualityRuleset',
    on: 'a ruleset',
    by: ['gate'],
    send: ({ glue }) => glue.send(new CreateDataQualityRulesetCommand({ Name: 'refused', Ruleset: 'Rules = [ RowCount > 0 ]' })),
  },
  {
    action: 'glue:BatchCreatePartition',
    on: 'a table of the lake',
    by: ['publish'],
    send: ({ glue }, { glueDatabase }, TableName) =>
      glue.send(new BatchCreatePartitionCommand({ DatabaseName: glueDatabase, TableName, PartitionInputList: [{ Values: ['refused'] }] })),
  },
  {
    action: 'glue:GetTable',
    on: 'a table of the lake',
    by: ['quality'],
    send: ({ glue }, { glueDatabase }, Name) => glue.send(new GetTableCommand({ DatabaseName: glueDatabase, Name })),
  },
  {
    action: 'glue:DeleteTable',
    on: 'a table of the lake',
    by: [],
    send: ({ glue }, { glueDatabase }, Name) => glue.send(new DeleteTableCommand({ DatabaseName: glueDatabase, Name })),
  },
  {
    action: 'sns:Publish',
    on: 'the outcomes',
    by: ['publish'],
    send: ({ sns }, { outcomeTopicArn }) => sns.send(new PublishCommand({ TopicArn: outcomeTopicArn, Message: 'refused' })),
  },
  {
    action: 'sqs:ReceiveMessage',
    on: 'the events',
    by: ['events'],
    send: ({ sqs }, { eventQueueUrl }) => sqs.send(new ReceiveMessageCommand({ QueueUrl: eventQueueUrl })),
  },
  {
    action: 'cloudwatch:PutMetricData',
    on: 'a namespace of another',
    by: [],
    send: ({ cloudwatch }) => cloudwatch.send(new PutMetricDataCommand({ Namespace: 'Another', MetricData: [{ MetricName: 'refused', Value: 1 }] })),
  },
];

/** A role of its own may be handed to its own service only: even who starts Spark jobs starts none as Glue's role. */
export const PASSED_AMISS = startJob(({ glueRoleArn }) => glueRoleArn, 'iam:PassRole', []);
