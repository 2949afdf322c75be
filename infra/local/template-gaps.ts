import {
  DescribeContinuousBackupsCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  UpdateContinuousBackupsCommand,
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
import { isDeepStrictEqual } from 'node:util';
import type { DeployedStack } from '../deploy/deployment';
import type { Template } from '../deploy/template';
import { StackError } from './stack-error';
import { withConditions } from './template-conditions';
import { lifecycleRules, sortedRules, type TemplateLifecycle } from './template-lifecycle';

/** Clients of the services that have gaps. */
export interface GapClients {
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
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
        ({ ServerSideEncryptionByDefault }) => ({
          ApplyServerSideEncryptionByDefault: ServerSideEncryptionByDefault,
        }),
      ),
    }),
    read: async ({ s3 }, Bucket) => {
      const { ServerSideEncryptionConfiguration } = await s3.send(new GetBucketEncryptionCommand({ Bucket }));
      return {
        Rules: (ServerSideEncryptionConfiguration?.Rules ?? []).map(({ ApplyServerSideEncryptionByDefault }) => ({
          ApplyServerSideEncryptionByDefault,
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
];

interface TemplateEncryption {
  readonly ServerSideEncryptionConfiguration: readonly {
    readonly ServerSideEncryptionByDefault: { readonly SSEAlgorithm: 'AES256' | 'aws:kms' | 'aws:kms:dsse' };
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
  resources: DeployedStack['resources'],
): Promise<number> {
  const applied = await Promise.all(
    Object.entries(withConditions(template).Resources).flatMap(([logicalId, { Type, Properties }]) =>
      TEMPLATE_GAPS.filter((gap) => gap.resourceType === Type && Properties?.[gap.property] !== undefined).map((gap) =>
        closeGap(clients, gap, resources[logicalId] ?? logicalId, gap.wanted(Properties?.[gap.property])),
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
