import {
  DescribeContinuousBackupsCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  type SSESpecification,
  UpdateContinuousBackupsCommand,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import {
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  type LifecycleRule,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  type S3Client,
  type ServerSideEncryptionConfiguration,
} from '@aws-sdk/client-s3';
import { GetTopicAttributesCommand, SetTopicAttributesCommand, type SNSClient } from '@aws-sdk/client-sns';
import { isDeepStrictEqual } from 'node:util';
import type { DeployedStack } from '../deploy/deployment';
import type { Template } from '../deploy/template';
import { StackError } from './stack-error';
import { withConditions, withPhysicalIds } from './template-conditions';
import { lifecycleRules, sortedRules, type TemplateLifecycle } from './template-lifecycle';

/** Clients of the services that have gaps. */
export interface GapClients {
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
  readonly sns: SNSClient;
}

/** A property that the template declares and the local AWS takes without keeping it. */
export interface TemplateGap {
  readonly resourceType: string;
  readonly property: string;
  /** The property in the words of the service's API. */
  wanted(property: unknown): unknown;
  /** What the service says of the resource, in the same words. */
  read(clients: GapClients, physicalId: string): Promise<unknown>;
  apply(clients: GapClients, physicalId: string, wanted: unknown): Promise<unknown>;
}

/** Every property of our template that ministack 1.5.33 drops from a template, though its own APIs know it. */
export const TEMPLATE_GAPS: readonly TemplateGap[] = [
  {
    resourceType: 'AWS::DynamoDB::Table',
    property: 'TimeToLiveSpecification',
    wanted: (property) => property,
    read: async ({ dynamodb }, TableName) => {
      const { TimeToLiveDescription } = await dynamodb.send(new DescribeTimeToLiveCommand({ TableName }));
      const { AttributeName, TimeToLiveStatus } = TimeToLiveDescription ?? {};
      return { AttributeName, Enabled: TimeToLiveStatus === 'ENABLED' || TimeToLiveStatus === 'ENABLING' };
    },
    apply: ({ dynamodb }, TableName, wanted) =>
      dynamodb.send(
        new UpdateTimeToLiveCommand({
          TableName,
          TimeToLiveSpecification: wanted as { AttributeName: string; Enabled: boolean },
        }),
      ),
  },
  {
    resourceType: 'AWS::DynamoDB::Table',
    property: 'PointInTimeRecoverySpecification',
    wanted: (property) => property,
    read: async ({ dynamodb }, TableName) => {
      const { ContinuousBackupsDescription } = await dynamodb.send(new DescribeContinuousBackupsCommand({ TableName }));
      const status = ContinuousBackupsDescription?.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus;
      return { PointInTimeRecoveryEnabled: status === 'ENABLED' };
    },
    apply: ({ dynamodb }, TableName, wanted) =>
      dynamodb.send(
        new UpdateContinuousBackupsCommand({
          TableName,
          PointInTimeRecoverySpecification: wanted as { PointInTimeRecoveryEnabled: boolean },
        }),
      ),
  },
  {
    resourceType: 'AWS::DynamoDB::Table',
    property: 'SSESpecification',
    wanted: (property) => {
      const { SSEEnabled, SSEType, KMSMasterKeyId } = property as { SSEEnabled: boolean; SSEType?: string; KMSMasterKeyId?: string };
      return { Enabled: SSEEnabled, SSEType, KMSMasterKeyId };
    },
    read: async ({ dynamodb }, TableName) => {
      const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName }));
      const { Status, SSEType, KMSMasterKeyArn } = Table?.SSEDescription ?? {};
      return { Enabled: Status === 'ENABLED', SSEType, KMSMasterKeyId: KMSMasterKeyArn?.split('/').at(-1) };
    },
    apply: ({ dynamodb }, TableName, wanted) =>
      dynamodb.send(new UpdateTableCommand({ TableName, SSESpecification: wanted as SSESpecification })),
  },
  {
    resourceType: 'AWS::S3::Bucket',
    property: 'LifecycleConfiguration',
    wanted: (property) => sortedRules(lifecycleRules(property as TemplateLifecycle)),
    read: async ({ s3 }, Bucket) => {
      try {
        const { Rules } = await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
        return sortedRules(Rules ?? []);
      } catch (error) {
        if (error instanceof Error && error.name === 'NoSuchLifecycleConfiguration') return [];
        throw error;
      }
    },
    apply: ({ s3 }, Bucket, wanted) =>
      s3.send(
        new PutBucketLifecycleConfigurationCommand({
          Bucket,
          LifecycleConfiguration: { Rules: wanted as LifecycleRule[] },
        }),
      ),
  },
  {
    resourceType: 'AWS::S3::Bucket',
    property: 'BucketEncryption',
    wanted: (property) => ({
      Rules: (property as TemplateEncryption).ServerSideEncryptionConfiguration.map(
        ({ ServerSideEncryptionByDefault, BucketKeyEnabled = false }) => ({
          ApplyServerSideEncryptionByDefault: ServerSideEncryptionByDefault,
          BucketKeyEnabled,
        }),
      ),
    }),
    read: async ({ s3 }, Bucket) => {
      const { ServerSideEncryptionConfiguration } = await s3.send(new GetBucketEncryptionCommand({ Bucket }));
      return {
        Rules: (ServerSideEncryptionConfiguration?.Rules ?? []).map(({ ApplyServerSideEncryptionByDefault, BucketKeyEnabled = false }) => ({
          ApplyServerSideEncryptionByDefault,
          BucketKeyEnabled,
        })),
      };
    },
    apply: ({ s3 }, Bucket, wanted) =>
      s3.send(
        new PutBucketEncryptionCommand({
          Bucket,
          ServerSideEncryptionConfiguration: wanted as ServerSideEncryptionConfiguration,
        }),
      ),
  },
  {
    resourceType: 'AWS::SNS::Topic',
    property: 'KmsMasterKeyId',
    wanted: (property) => property,
    read: async ({ sns }, TopicArn) => (await sns.send(new GetTopicAttributesCommand({ TopicArn }))).Attributes?.['KmsMasterKeyId'],
    apply: ({ sns }, TopicArn, wanted) =>
      sns.send(new SetTopicAttributesCommand({ TopicArn, AttributeName: 'KmsMasterKeyId', AttributeValue: String(wanted) })),
  },
];

interface TemplateEncryption {
  readonly ServerSideEncryptionConfiguration: readonly {
    readonly ServerSideEncryptionByDefault: { readonly SSEAlgorithm: 'AES256' | 'aws:kms' | 'aws:kms:dsse'; readonly KMSMasterKeyID?: string };
    readonly BucketKeyEnabled?: boolean;
  }[];
}

/**
 * Applies what the local AWS dropped from the template, and reads it back. Idempotent: what is there already is left alone.
 * @returns how many properties had to be applied
 * @throws StackError when a property is still not what the template says
 */
export async function closeGaps(
  clients: GapClients,
  template: Template,
  { resources, parameters }: Pick<DeployedStack, 'resources' | 'parameters'>,
): Promise<number> {
  const made = Object.entries(withConditions(template, parameters).Resources);
  for (const [logicalId, { Properties }] of made) {
    if (Properties?.['ReplicationConfiguration'] !== undefined) {
      throw new StackError(`The local AWS makes no copies of ${logicalId} in another region: deploy without StorageReplicaBucketArn`);
    }
  }
  const applied = await Promise.all(
    made.flatMap(([logicalId, { Type, Properties }]) =>
      TEMPLATE_GAPS.filter((gap) => gap.resourceType === Type && Properties?.[gap.property] !== undefined).map((gap) =>
        closeGap(clients, gap, resources[logicalId] ?? logicalId, gap.wanted(withPhysicalIds(Properties?.[gap.property], resources))),
      ),
    ),
  );
  return applied.filter(Boolean).length;
}

async function closeGap(clients: GapClients, gap: TemplateGap, physicalId: string, wanted: unknown): Promise<boolean> {
  const what = `${gap.property} of ${gap.resourceType} ${physicalId}`;
  if (isDeepStrictEqual(await readGap(clients, gap, physicalId, what), wanted)) return false;
  await gap.apply(clients, physicalId, wanted);
  const found = await gap.read(clients, physicalId);
  if (!isDeepStrictEqual(found, wanted)) {
    throw new StackError(`${what} does not hold: expected ${JSON.stringify(wanted)}, found ${JSON.stringify(found)}`);
  }
  return true;
}

async function readGap(clients: GapClients, gap: TemplateGap, physicalId: string, what: string): Promise<unknown> {
  try {
    return await gap.read(clients, physicalId);
  } catch (error) {
    // CloudFormation has the resource, its service has not: the emulator was killed between two of its state files.
    if (
      !(error instanceof Error) ||
      !['NoSuchBucket', 'ResourceNotFoundException', 'TableNotFoundException'].includes(error.name)
    )
      throw error;
    throw new StackError(
      `${what} is gone (${error.name}): the local AWS lost part of its state. Start afresh: "meridian down --purge", then "meridian up"`,
      { cause: error },
    );
  }
}
