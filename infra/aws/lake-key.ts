import { CfnCondition, CfnParameter, Fn, type IResolvable, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import { CfnPolicy, type IRole } from 'aws-cdk-lib/aws-iam';
import { CfnKey } from 'aws-cdk-lib/aws-kms';
import type { CfnTopic, Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { NOTHING } from './optional-parameter';

/** What publishes to the stack's topics: alarms, the rule of arriving objects, the budget. */
const PUBLISHERS = ['budgets', 'cloudwatch', 'events'];

/**
 * Who holds the key of the data at rest (S2.23): S3's own keys, or with `LakeEncryption=kms` one customer key for buckets, tables and
 * topics, which rotates every year. Off by default: a key costs by the month and by the call, and S3's own encrypt all the same.
 */
export class LakeKey extends Construct {
  readonly isUsed: CfnCondition;
  /** Made only where `isUsed` holds. */
  private readonly key: CfnKey;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const encryption = new CfnParameter(this, 'Encryption', {
      type: 'String',
      default: 's3',
      allowedValues: ['s3', 'kms'],
      description: 'Key of the data at rest; s3: keys of the services, kms: a customer key of this stack, for buckets, tables and topics',
    });
    encryption.overrideLogicalId('LakeEncryption');
    this.isUsed = new CfnCondition(this, 'IsUsed', { expression: Fn.conditionEquals(encryption.valueAsString, 'kms') });
    this.isUsed.overrideLogicalId('HasLakeKey');
    const { account, partition } = Stack.of(this);
    this.key = new CfnKey(this, 'Key', {
      description: 'Meridian: data at rest',
      enableKeyRotation: true,
      keyPolicy: {
        Version: '2012-10-17',
        Statement: [
          // Hands the decision to IAM policies: nobody has the key by this alone.
          { Effect: 'Allow', Principal: { AWS: `arn:${partition}:iam::${account}:root` }, Action: 'kms:*', Resource: '*' },
          // Which of them may publish, and for whom, is in the topics' policies.
          {
            Effect: 'Allow',
            Principal: { Service: PUBLISHERS.map((service) => `${service}.amazonaws.com`) },
            Action: ['kms:Decrypt', 'kms:GenerateDataKey*'],
            Resource: '*',
          },
        ],
      },
    });
    this.key.cfnOptions.condition = this.isUsed;
    // Without it nothing that it encrypted can ever be read again.
    this.key.applyRemovalPolicy(RemovalPolicy.RETAIN);
  }

  /** Of a reference to the key: only where `isUsed` holds. */
  get arn(): string {
    return this.key.attrArn;
  }

  /** @returns `used` with the customer key, else `otherwise` (no property, if absent) */
  whenUsed(used: unknown, otherwise: unknown = NOTHING): IResolvable {
    return Fn.conditionIf(this.isUsed.logicalId, used, otherwise);
  }

  /** Without a customer key a topic stays as it is: alarms may not use the key that SNS would encrypt with of its own. */
  encryptTopic(topic: Topic): void {
    (topic.node.defaultChild as CfnTopic).kmsMasterKeyId = Token.asString(this.whenUsed(this.arn));
  }

  /** Lets roles read and write what the key encrypts in buckets and topics: one policy, made only with the key (S2.21). */
  allowData(...roles: readonly IRole[]): void {
    this.allow('Data', ['kms:Decrypt', 'kms:GenerateDataKey'], roles);
  }

  /** Lets roles use tables under the key: DynamoDB asks for these in their name, and nobody else may. @see DynamoDB, "Encryption at rest: usage notes" */
  allowTables(...roles: readonly IRole[]): void {
    this.allow('Tables', ['kms:CreateGrant', 'kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey', 'kms:ReEncryptFrom', 'kms:ReEncryptTo'], roles, {
      StringEquals: { 'kms:ViaService': `dynamodb.${Stack.of(this).region}.amazonaws.com` },
    });
  }

  private allow(id: string, actions: readonly string[], roles: readonly IRole[], conditions?: object): void {
    const policy = new CfnPolicy(this, id, {
      policyName: `meridian-lake-key-${id.toLowerCase()}`,
      roles: roles.map(({ roleName }) => roleName),
      policyDocument: {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: actions, Resource: this.arn, ...(conditions === undefined ? {} : { Condition: conditions }) }],
      },
    });
    policy.cfnOptions.condition = this.isUsed;
  }
}
