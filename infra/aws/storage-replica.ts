import { CfnCondition, CfnRule, Fn, type IResolvable } from 'aws-cdk-lib';
import { CfnPolicy, CfnRole } from 'aws-cdk-lib/aws-iam';
import type { CfnBucket } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { acceptWildcards } from './accepted-findings';
import { NOTHING, OptionalParameter } from './optional-parameter';
import type { StorageReplicaProps } from './storage-replica-props';

/**
 * Every object of storage, copied to a bucket of another region (S2.24); off until `StorageReplicaBucketArn` names that bucket, which
 * is this account's and keeps versions. What is deleted here stays there: a copy that follows a deletion guards against none.
 */
export class StorageReplica extends Construct {
  constructor(scope: Construct, id: string, { storage, key }: StorageReplicaProps) {
    super(scope, id);
    const bucket = new OptionalParameter(this, 'Bucket', {
      name: 'StorageReplicaBucketArn',
      description: 'Bucket of this account in another region, with versioning on, that gets a copy of every stored object; empty: no copies',
      pattern: '^arn:[a-z-]+:s3:::[a-z0-9.-]{3,63}$',
      constraint: 'must be the ARN of a bucket, arn:aws:s3:::name',
    });
    const replicaKey = new OptionalParameter(this, 'Key', {
      name: 'StorageReplicaKeyArn',
      description: 'KMS key, in the region of the copies, that encrypts them; needed with LakeEncryption=kms, else empty',
      pattern: '^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$',
      constraint: 'must be the ARN of a KMS key, no alias',
    });
    this.refuseContradictions(bucket, replicaKey);
    const underKeys = new CfnCondition(this, 'UnderKeys', { expression: Fn.conditionAnd(bucket.isSet, key.isUsed, replicaKey.isSet) });
    underKeys.overrideLogicalId('HasStorageReplicaUnderKeys');
    const withKeys = (value: unknown): IResolvable => Fn.conditionIf(underKeys.logicalId, value, NOTHING);

    const role = new CfnRole(this, 'Role', {
      description: 'Meridian: S3 copies stored objects to another region',
      assumeRolePolicyDocument: {
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Principal: { Service: 's3.amazonaws.com' }, Action: 'sts:AssumeRole' }],
      },
    });
    role.cfnOptions.condition = bucket.isSet;
    this.policy('Objects', role, bucket.isSet, [
      [['s3:GetReplicationConfiguration', 's3:ListBucket'], storage.bucketArn],
      [['s3:GetObjectVersionAcl', 's3:GetObjectVersionForReplication', 's3:GetObjectVersionTagging'], storage.arnForObjects('*')],
      [['s3:ReplicateObject', 's3:ReplicateTags'], `${bucket.value}/*`],
    ]);
    acceptWildcards(this, 'Copies are made of every object of storage, under the same names', storage.arnForObjects('*'), `${bucket.value}/*`);
    this.policy('Keys', role, underKeys, [
      [['kms:Decrypt'], key.arn],
      [['kms:Encrypt'], replicaKey.value],
    ]);

    (storage.node.defaultChild as CfnBucket).replicationConfiguration = bucket.whenSet({
      Role: role.attrArn,
      Rules: [
        {
          Id: 'all',
          Status: 'Enabled',
          Priority: 1,
          Filter: { Prefix: '' },
          DeleteMarkerReplication: { Status: 'Disabled' },
          // S3 leaves out what a key encrypts unless it is told both.
          SourceSelectionCriteria: withKeys({ SseKmsEncryptedObjects: { Status: 'Enabled' } }),
          Destination: {
            Bucket: bucket.value,
            StorageClass: 'STANDARD_IA',
            EncryptionConfiguration: withKeys({ ReplicaKmsKeyID: replicaKey.value }),
          },
        },
      ],
    });
  }

  private policy(id: string, role: CfnRole, condition: CfnCondition, allowed: readonly (readonly [actions: readonly string[], resource: string])[]): void {
    const policy = new CfnPolicy(this, id, {
      policyName: `meridian-storage-replica-${id.toLowerCase()}`,
      roles: [role.ref],
      policyDocument: { Version: '2012-10-17', Statement: allowed.map(([Action, Resource]) => ({ Effect: 'Allow', Action, Resource })) },
    });
    policy.cfnOptions.condition = condition;
  }

  /** Before anything is created: without its key S3 would copy nothing, and say so to nobody. */
  private refuseContradictions(bucket: OptionalParameter, replicaKey: OptionalParameter): void {
    const rule = new CfnRule(this, 'Rule', {
      ruleCondition: Fn.conditionAnd(Fn.conditionEquals(Fn.ref('LakeEncryption'), 'kms'), Fn.conditionNot(Fn.conditionEquals(bucket.value, ''))),
    });
    rule.overrideLogicalId('StorageReplicaNeedsItsKey');
    rule.addAssertion(
      Fn.conditionNot(Fn.conditionEquals(replicaKey.value, '')),
      'StorageReplicaBucketArn with LakeEncryption=kms needs StorageReplicaKeyArn: a KMS key in the region of the copies',
    );
  }
}
