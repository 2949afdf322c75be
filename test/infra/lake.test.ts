import { MeridianStack } from '../../infra/aws/meridian-stack';
import { warmWorkerSize } from '../../infra/aws/warm-workers';
import type { Template } from '../../infra/deploy/template';
import { withConditions } from '../../infra/local/template-conditions';
import { pipelines } from '../../pipelines';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import { synthesised } from '../support/synthesised';

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
}
type Properties = Readonly<Record<string, unknown>>;

const REPLICA = 'arn:aws:s3:::copies';
const REPLICA_KEY = 'arn:aws:kms:eu-central-1:111122223333:key/1';
let template: Template;

/** What CloudFormation would make with these parameters. */
const made = (parameters: Readonly<Record<string, string>> = {}) => withConditions(template, parameters);
const all = (type: string, of = made()) => Object.entries(of.Resources).filter(([, { Type }]) => Type === type);
const propertiesOf = (type: string, of = made()) => all(type, of).map(([id, { Properties = {} }]) => [id, Properties] as const);
const list = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? (value as readonly T[]) : [value as T]);
const statementsOf = (policy: Properties | undefined) => (policy?.['PolicyDocument'] as { Statement: Statement[] } | undefined)?.Statement ?? [];
const idOf = (type: string, prefix: string, of = made()) => all(type, of).find(([id]) => id.startsWith(prefix))?.[0];

beforeAll(() => {
  template = synthesised((app) => new MeridianStack(app, 'Meridian', { pipelines })).toJSON() as Template;
});

describe('The lake without options', () => {
  test('S2.27 S2.23 has no key, no copies and no warm workers: what costs money waits for its parameter', () => {
    expect(all('AWS::KMS::Key')).toEqual([]);
    expect(Object.keys(made().Resources).filter((id) => /Replica|KeyData|KeyTables/.test(id))).toEqual([]);
    for (const [id, properties] of propertiesOf('AWS::S3::Bucket')) {
      expect([id, properties['BucketEncryption']]).toEqual([
        id,
        { ServerSideEncryptionConfiguration: [{ ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } }] },
      ]);
      expect(properties).not.toHaveProperty('ReplicationConfiguration');
    }
    for (const [, properties] of propertiesOf('AWS::DynamoDB::Table')) expect(properties).not.toHaveProperty('SSESpecification');
    const [[, application] = ['', {}]] = propertiesOf('AWS::EMRServerless::Application');
    expect(application).not.toHaveProperty('InitialCapacity');
  });

  test('S2.4 an object that cannot be made again can be brought back for 30 days and longer, and one that expires goes for good', () => {
    const rules = propertiesOf('AWS::S3::Bucket').map(([id, { VersioningConfiguration, LifecycleConfiguration }]) => {
      const { Rules } = LifecycleConfiguration as { Rules: { Prefix?: string; ExpirationInDays?: number; NoncurrentVersionExpiration?: { NoncurrentDays: number } }[] };
      return { zone: id.slice(4, -8), versioned: VersioningConfiguration !== undefined, Rules };
    });

    expect(rules.filter(({ versioned }) => versioned).map(({ zone }) => zone).sort()).toEqual(['Artifacts', 'Raw', 'Storage']);
    for (const { versioned, Rules } of rules) {
      const whole = Rules.filter(({ Prefix, NoncurrentVersionExpiration }) => Prefix === undefined && NoncurrentVersionExpiration !== undefined);
      expect(whole.map(({ NoncurrentVersionExpiration }) => (NoncurrentVersionExpiration?.NoncurrentDays ?? 0) >= 30)).toEqual(versioned ? [true] : []);
      for (const rule of Rules.filter(({ ExpirationInDays }) => ExpirationInDays !== undefined)) {
        expect(rule.NoncurrentVersionExpiration?.NoncurrentDays).toBe(versioned ? 1 : undefined);
      }
    }
  });

  test('S2.15 no call deletes a table by mistake', () => {
    for (const [id, properties] of propertiesOf('AWS::DynamoDB::Table')) expect([id, properties['DeletionProtectionEnabled']]).toEqual([id, true]);
  });
});

describe('The lake under a customer key', () => {
  const underKey = () => made({ LakeEncryption: 'kms' });
  const keyArn = () => ({ 'Fn::GetAtt': [idOf('AWS::KMS::Key', 'Key', underKey()), 'Arn'] });

  test('S2.23 one key that rotates and outlives the stack encrypts every bucket, table and topic', () => {
    const [[, key] = ['', undefined]] = all('AWS::KMS::Key', underKey());

    expect(key).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain', Properties: { EnableKeyRotation: true } });
    expect(all('AWS::KMS::Key', underKey())).toHaveLength(1);
    for (const [id, properties] of propertiesOf('AWS::S3::Bucket', underKey())) {
      expect([id, properties['BucketEncryption']]).toEqual([
        id,
        { ServerSideEncryptionConfiguration: [{ BucketKeyEnabled: true, ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: keyArn() } }] },
      ]);
    }
    for (const [, properties] of propertiesOf('AWS::DynamoDB::Table', underKey())) {
      expect(properties['SSESpecification']).toEqual({ SSEEnabled: true, SSEType: 'KMS', KMSMasterKeyId: keyArn() });
    }
    expect(propertiesOf('AWS::SNS::Topic', underKey()).map(([, properties]) => properties['KmsMasterKeyId'])).toEqual([keyArn(), keyArn()]);
  });

  test('S2.23 what publishes to the topics may use the key, or alarms and events would be lost without a word', () => {
    const [[, key] = ['', {} as Properties]] = propertiesOf('AWS::KMS::Key', underKey());
    const { Statement: statements } = key['KeyPolicy'] as { Statement: readonly { Principal: { Service?: string | readonly string[] }; Action: unknown }[] };
    const services = (of: { Principal: unknown }) => list((of.Principal as { Service?: string | readonly string[] }).Service ?? []).flat();
    const publishers = propertiesOf('AWS::SNS::TopicPolicy', underKey())
      .flatMap(([, policy]) => statementsOf(policy))
      .filter(({ Effect }) => Effect === 'Allow')
      .flatMap((statement) => services(statement as unknown as { Principal: unknown }));

    const allowed = statements.filter((statement) => services(statement).length > 0);
    expect(allowed.map(({ Action }) => Action)).toEqual([['kms:Decrypt', 'kms:GenerateDataKey*']]);
    expect(publishers).toContain('cloudwatch.amazonaws.com');
    expect(allowed.flatMap(services)).toEqual(expect.arrayContaining(publishers));
  });

  test('S2.21 every role that reads or writes objects or items of the lake may use the key for it, and for nothing else', () => {
    const within = propertiesOf('AWS::IAM::Role', underKey()).flatMap(([id, { Policies = [] }]) =>
      (Policies as readonly Properties[]).map((policy) => [id, { ...policy, Roles: [{ Ref: id }] }] as [string, Properties]),
    );
    const policies = [...propertiesOf('AWS::IAM::Policy', underKey()), ...within];
    const rolesWith = (service: string, of: RegExp) =>
      policies
        .filter(([, policy]) => statementsOf(policy).some(({ Action, Resource }) => list(Action).some((action) => action.startsWith(service)) && of.test(JSON.stringify(Resource))))
        .flatMap(([, { Roles }]) => (Roles as readonly { Ref: string }[]).map(({ Ref }) => Ref));
    const onKey = policies.flatMap(([id, policy]) =>
      statementsOf(policy)
        .filter(({ Action }) => list(Action).some((action) => action.startsWith('kms:')))
        .map((statement) => ({ id: id.slice(0, -8), statement, roles: (policy['Roles'] as readonly { Ref: string }[]).map(({ Ref }) => Ref) })),
    );

    expect(onKey.map(({ id, statement }) => [id, statement])).toEqual([
      ['KeyData', { Effect: 'Allow', Action: ['kms:Decrypt', 'kms:GenerateDataKey'], Resource: keyArn() }],
      [
        'KeyTables',
        {
          Effect: 'Allow',
          Action: ['kms:CreateGrant', 'kms:Decrypt', 'kms:DescribeKey', 'kms:Encrypt', 'kms:GenerateDataKey', 'kms:ReEncryptFrom', 'kms:ReEncryptTo'],
          Resource: keyArn(),
          Condition: { StringEquals: { 'kms:ViaService': { 'Fn::Join': ['', ['dynamodb.', { Ref: 'AWS::Region' }, '.amazonaws.com']] } } },
        },
      ],
    ]);
    const users = new Set([...rolesWith('s3:GetObject', /Lake/), ...rolesWith('s3:PutObject', /Lake/), ...rolesWith('sns:', /Topic/)]);
    expect([...(onKey[0]?.roles ?? [])].sort()).toEqual([...users].sort());
    expect([...(onKey[1]?.roles ?? [])].sort()).toEqual([...new Set(rolesWith('dynamodb:', /Dedup/))].sort());
  });
});

describe('Copies of storage in another region', () => {
  const replicated = (more = {}) => made({ StorageReplicaBucketArn: REPLICA, ...more });
  const storageOf = (of: Template) => of.Resources[idOf('AWS::S3::Bucket', 'LakeStorage', of) ?? '']?.Properties ?? {};

  test('S2.24 storage alone is copied, by a role that can write nothing else; what is deleted here stays there', () => {
    const of = replicated();
    const role = { 'Fn::GetAtt': [idOf('AWS::IAM::Role', 'StorageReplica', of), 'Arn'] };

    expect(propertiesOf('AWS::S3::Bucket', of).filter(([, properties]) => 'ReplicationConfiguration' in properties)).toHaveLength(1);
    expect(storageOf(of)).toMatchObject({ VersioningConfiguration: { Status: 'Enabled' } }); // else S3 refuses
    expect(storageOf(of)['ReplicationConfiguration']).toEqual({
      Role: role,
      Rules: [
        {
          Id: 'all',
          Status: 'Enabled',
          Priority: 1,
          Filter: { Prefix: '' },
          DeleteMarkerReplication: { Status: 'Disabled' },
          Destination: { Bucket: { Ref: 'StorageReplicaBucketArn' }, StorageClass: 'STANDARD_IA' },
        },
      ],
    });
    const [, policy] = propertiesOf('AWS::IAM::Policy', of).find(([id]) => id.startsWith('StorageReplicaObjects')) ?? [];
    const storage = { 'Fn::GetAtt': [idOf('AWS::S3::Bucket', 'LakeStorage', of), 'Arn'] };
    expect(statementsOf(policy).map(({ Action, Resource }) => [Action, Resource])).toEqual([
      [['s3:GetReplicationConfiguration', 's3:ListBucket'], storage],
      [['s3:GetObjectVersionAcl', 's3:GetObjectVersionForReplication', 's3:GetObjectVersionTagging'], { 'Fn::Join': ['', [storage, '/*']] }],
      [['s3:ReplicateObject', 's3:ReplicateTags'], { 'Fn::Join': ['', [{ Ref: 'StorageReplicaBucketArn' }, '/*']] }],
    ]);
  });

  test('S2.24 S2.23 under a customer key they are read with that key and written with the other region’s', () => {
    const of = replicated({ LakeEncryption: 'kms', StorageReplicaKeyArn: REPLICA_KEY });
    const { Rules } = storageOf(of)['ReplicationConfiguration'] as { Rules: readonly unknown[] };
    const [, policy] = propertiesOf('AWS::IAM::Policy', of).find(([id]) => id.startsWith('StorageReplicaKeys')) ?? [];

    expect(Rules).toEqual([
      expect.objectContaining({
        SourceSelectionCriteria: { SseKmsEncryptedObjects: { Status: 'Enabled' } },
        Destination: expect.objectContaining({ EncryptionConfiguration: { ReplicaKmsKeyID: { Ref: 'StorageReplicaKeyArn' } } }) as unknown,
      }),
    ]);
    expect(statementsOf(policy)).toEqual([
      { Effect: 'Allow', Action: ['kms:Decrypt'], Resource: { 'Fn::GetAtt': [idOf('AWS::KMS::Key', 'Key', of), 'Arn'] } },
      { Effect: 'Allow', Action: ['kms:Encrypt'], Resource: { Ref: 'StorageReplicaKeyArn' } },
    ]);
  });

  test('with a customer key and no key for the copies, the deployment is refused by name before anything is made', () => {
    const rule = (template as unknown as { Rules: Record<string, { Assertions: readonly { AssertDescription: string }[] }> }).Rules['StorageReplicaNeedsItsKey'];

    expect(rule?.Assertions.map(({ AssertDescription }) => AssertDescription)).toEqual([expect.stringMatching(/needs StorageReplicaKeyArn/)]);
  });
});

describe('Workers that stand ready', () => {
  test('S0.4 are as many as the parameter says, each large enough for what the pipelines ask for with Spark’s overhead', () => {
    const [[, application] = ['', {} as Properties]] = propertiesOf('AWS::EMRServerless::Application', made({ SparkWarmExecutors: '2' }));

    expect(application['InitialCapacity']).toEqual([
      { Key: 'Driver', Value: { WorkerCount: 1, WorkerConfiguration: { Cpu: '2 vCPU', Memory: '5 GB' } } }, // 4g and a tenth
      { Key: 'Executor', Value: { WorkerCount: { Ref: 'SparkWarmExecutors' }, WorkerConfiguration: { Cpu: '4 vCPU', Memory: '18 GB' } } },
    ]);
  });

  test('S0.4 one that says nothing asks for EMR’s own size; memory in no form of Spark’s is refused by name', () => {
    const asking = (memory?: string) => ({
      ...mobileGeolocation,
      transform: { ...mobileGeolocation.transform, sparkConf: memory === undefined ? {} : { 'spark.driver.memory': memory } },
    });

    expect(warmWorkerSize([mobileGeolocation, asking()], 'driver')).toEqual({ Cpu: '4 vCPU', Memory: '16 GB' });
    expect(warmWorkerSize([asking('512m')], 'driver')).toEqual({ Cpu: '4 vCPU', Memory: '1 GB' });
    expect(() => warmWorkerSize([asking('4')], 'driver')).toThrow(/"mobile-geolocation" says "4" for spark.driver.memory/);
  });
});
