import { Match, type Template } from 'aws-cdk-lib/assertions';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { candidateCatalogTable } from '../../activities/gate-partitions';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { QUALITY_STEPS, rulesetName, rulesetText } from '../../domain/ruleset';
import { STACK_OUTPUTS } from '../../domain/stack-outputs';
import { MeridianStack } from '../../infra/aws/meridian-stack';
import { JARS } from '../../infra/local/toolchain/jars';
import { pipelines } from '../../pipelines';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import { synthesised } from '../support/synthesised';

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Principal?: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}
type Resource = { readonly Properties: Readonly<Record<string, unknown>>; readonly DeletionPolicy?: string };

const synthesise = (specs: readonly PipelineSpec[]) =>
  synthesised((app) => new MeridianStack(app, 'Meridian', { pipelines: specs }));
const template = synthesise(pipelines);
const resources = (type: string) => Object.values(template.findResources(type)) as Resource[];
const list = <T>(value: T | readonly T[]): readonly T[] =>
  Array.isArray(value) ? (value as readonly T[]) : [value as T];

interface PolicyDocument {
  readonly Statement: Statement[];
}

/** Every statement of an identity policy, with the logical id of the policy, or of the role that it is part of. */
function statementsOf(of: Template): readonly { readonly policy: string; readonly statement: Statement }[] {
  const policies = Object.entries(of.findResources('AWS::IAM::Policy') as Record<string, { Properties: { PolicyDocument: PolicyDocument } }>);
  const roles = Object.entries(of.findResources('AWS::IAM::Role') as Record<string, { Properties: { Policies?: { PolicyDocument: PolicyDocument }[] } }>);
  return [
    ...policies.map(([id, { Properties }]) => [id, Properties.PolicyDocument] as const),
    ...roles.flatMap(([id, { Properties }]) => (Properties.Policies ?? []).map(({ PolicyDocument: document }) => [id, document] as const)),
  ].flatMap(([policy, { Statement: found }]) => found.map((statement) => ({ policy, statement })));
}
const statements = statementsOf(template);

describe('The CloudFormation template: data at rest', () => {
  test('S2.22 no bucket can be made public, by ACL or by policy', () => {
    expect(resources('AWS::S3::Bucket')).toHaveLength(5);
    template.allResourcesProperties('AWS::S3::Bucket', {
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      OwnershipControls: { Rules: [{ ObjectOwnership: 'BucketOwnerEnforced' }] },
    });
    for (const { Properties } of resources('AWS::S3::BucketPolicy')) {
      const { Statement: found } = Properties['PolicyDocument'] as { Statement: Statement[] };
      expect(found.filter(({ Effect }) => Effect !== 'Deny')).toEqual([]);
    }
  });

  test('S2.23 every bucket refuses requests without TLS 1.2', () => {
    template.resourceCountIs('AWS::S3::BucketPolicy', 5);
    template.allResourcesProperties('AWS::S3::BucketPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: 'Deny', Action: 's3:*', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
          Match.objectLike({
            Effect: 'Deny',
            Action: 's3:*',
            Condition: { NumericLessThan: { 's3:TlsVersion': 1.2 } },
          }),
        ]),
      },
    });
  });

  test('S2.4 nothing in storage expires, nor any document that says what storage is', () => {
    const buckets = template.findResources('AWS::S3::Bucket') as Readonly<Record<string, Resource>>;

    const expiring = Object.entries(buckets).flatMap(([id, { Properties }]) => {
      const { Rules } = Properties['LifecycleConfiguration'] as {
        Rules: { Prefix?: string; ExpirationInDays?: number }[];
      };
      return Rules.filter(({ ExpirationInDays }) => ExpirationInDays !== undefined).map(
        ({ Prefix, ExpirationInDays }) => `${id.replace(/[0-9A-F]{8}$/, '')}/${Prefix ?? ''} ${ExpirationInDays}`,
      );
    });

    expect(expiring.sort()).toEqual(['LakeArtifacts/archive/histories/ 180', 'LakeArtifacts/dry-runs/ 30', 'LakeArtifacts/logs/ 30', 'LakeQuarantine/ 180', 'LakeRefined/ 30']);
  });

  test('no bucket, table or repository is deleted with the stack, nor named for one account', () => {
    for (const type of ['AWS::S3::Bucket', 'AWS::DynamoDB::Table', 'AWS::ECR::Repository']) {
      for (const { Properties, DeletionPolicy } of resources(type)) {
        expect(DeletionPolicy).toBe('Retain');
        expect(Object.keys(Properties).filter((name) => /^(BucketName|TableName|RepositoryName)$/.test(name))).toEqual(
          [],
        );
      }
    }
    expect(JSON.stringify(template.toJSON())).not.toMatch(/\b\d{12}\b/);
  });

  test('S2.15 both tables are keyed by pk and sk, on demand, expire by "ttl" and can be restored to any second', () => {
    template.resourceCountIs('AWS::DynamoDB::Table', 2);
    template.allResourcesProperties('AWS::DynamoDB::Table', {
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
      ],
      TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    });
  });
});

describe('The CloudFormation template: who may do what (S2.21)', () => {
  test('a resource is "*" only for metrics, which know none, and then for one namespace', () => {
    const wide = statements
      .filter(({ statement }) => list(statement.Resource).includes('*'))
      .map(({ statement }) => statement);

    expect(wide.map(({ Action, Condition }) => [Action, Condition])).toEqual([
      ['cloudwatch:PutMetricData', { StringEquals: { 'cloudwatch:namespace': 'Glue Data Quality' } }],
      ['cloudwatch:PutMetricData', { StringEquals: { 'cloudwatch:namespace': 'Meridian' } }], // publishing
      ['cloudwatch:PutMetricData', { StringEquals: { 'cloudwatch:namespace': 'Meridian' } }], // the queue's backlog
    ]);
  });

  test('no action is a wildcard, and no statement is for everybody', () => {
    expect(
      statements.flatMap(({ statement }) => list(statement.Action)).filter((action) => action.includes('*')),
    ).toEqual([]);
    for (const { Properties } of resources('AWS::IAM::Role')) {
      expect(JSON.stringify(Properties['AssumeRolePolicyDocument'])).not.toContain('"*"');
      expect(Properties['ManagedPolicyArns']).toBeUndefined();
    }
  });

  test('only two groups of activities pass roles: each its own, to one service', () => {
    const passes = statements.filter(({ statement }) => list(statement.Action).includes('iam:PassRole'));
    const roleId = (prefix: string) =>
      Object.keys(template.findResources('AWS::IAM::Role')).find((id) => id.startsWith(prefix));

    expect(passes.map(({ policy }) => policy.replace(/[0-9A-F]{8}$/, ''))).toEqual(['RolesTransform', 'RolesGate']);
    expect(passes.map(({ statement }) => [statement.Resource, statement.Condition])).toEqual([
      [
        [{ 'Fn::GetAtt': [roleId('DedupJobRole'), 'Arn'] }, { 'Fn::GetAtt': [roleId('SparkJobRole'), 'Arn'] }],
        { StringEquals: { 'iam:PassedToService': 'emr-serverless.amazonaws.com' } },
      ],
      [
        { 'Fn::GetAtt': [roleId('QualityRole'), 'Arn'] },
        { StringEquals: { 'iam:PassedToService': 'glue.amazonaws.com' } },
      ],
    ]);
  });

  test('each service role is trusted to its service, for this account or application alone', () => {
    for (const [service, condition] of [
      [
        'emr-serverless.amazonaws.com',
        { ArnLike: { 'aws:SourceArn': { 'Fn::GetAtt': [Match.stringLikeRegexp('^SparkApplication'), 'Arn'] } } },
      ],
      ['glue.amazonaws.com', { StringEquals: { 'aws:SourceAccount': { Ref: 'AWS::AccountId' } } }],
    ] as const) {
      template.hasResourceProperties('AWS::IAM::Role', {
        AssumeRolePolicyDocument: {
          Statement: [Match.objectLike({ Principal: { Service: service }, Condition: condition })],
        },
      });
    }
  });

  test('nobody may delete an old version of an object, a table or the catalog', () => {
    const actions = new Set(statements.flatMap(({ statement }) => list(statement.Action)));

    expect([...actions].filter((action) => /Delete/.test(action)).sort()).toEqual(['dynamodb:DeleteItem', 'glue:DeletePartition', 's3:DeleteObject', 'sqs:DeleteMessage']);
  });
});

describe('The CloudFormation template: engines and catalog', () => {
  test('S0.4 Spark scales to zero by itself, under a ceiling, and queues what does not fit', () => {
    template.hasResourceProperties('AWS::EMRServerless::Application', {
      Type: 'SPARK',
      ReleaseLabel: Match.stringLikeRegexp('^emr-7\\.'),
      AutoStartConfiguration: { Enabled: true },
      AutoStopConfiguration: { Enabled: true, IdleTimeoutMinutes: { Ref: 'SparkIdleMinutes' } },
      MaximumCapacity: Match.objectLike({ Cpu: '400 vCPU', Memory: '3000 GB' }),
      SchedulerConfiguration: Match.objectLike({ MaxConcurrentRuns: Match.anyValue() }),
    });
    template.hasParameter('SparkIdleMinutes', { Default: 5 });
  });

  test('S0.5 the Spark image comes from a scanned, immutable repository of the stack, once it has a tag', () => {
    template.hasResourceProperties('AWS::ECR::Repository', {
      ImageTagMutability: 'IMMUTABLE',
      ImageScanningConfiguration: { ScanOnPush: true },
    });
    template.hasParameter('SparkImageTag', { Default: '' });
    template.hasResourceProperties('AWS::EMRServerless::Application', {
      ImageConfiguration: { 'Fn::If': [Match.anyValue(), { ImageUri: Match.anyValue() }, { Ref: 'AWS::NoValue' }] },
    });
  });

  test('S0.3 S0.5 with its image, Spark has Sedona by the same settings as the local double, and the Python that the image has', () => {
    const [application] = resources('AWS::EMRServerless::Application');
    const { 'Fn::If': branches } = application?.Properties['RuntimeConfiguration'] as { 'Fn::If': readonly unknown[] };
    const [{ Properties: defaults }] = branches[1] as [{ Properties: Record<string, string> }];
    const double = readFileSync(join(__dirname, '../../infra/local/aws/meridian_aws/spark_submit.py'), 'utf8');
    const image = readFileSync(join(__dirname, '../../jobs/Dockerfile'), 'utf8');

    for (const name of ['spark.sql.extensions', 'spark.serializer', 'spark.kryo.registrator']) {
      expect(double).toContain(`"${name}": "${defaults[name]}"`);
    }
    expect(defaults['spark.executorEnv.PYSPARK_PYTHON']).toBe('/usr/bin/python3.11');
    expect(image).toContain('dnf install -y python3.11 ');
    expect(branches[2]).toEqual({ Ref: 'AWS::NoValue' });
  });

  test('S0.5 the image’s libraries are of the versions that the local stack runs', () => {
    const image = readFileSync(join(__dirname, '../../jobs/Dockerfile'), 'utf8');
    const local = readFileSync(join(__dirname, '../../infra/local/aws/requirements.txt'), 'utf8').split('\n');
    const installed = /pip install --no-cache-dir (.*)$/m.exec(image)?.[1]?.split(' ') ?? [];
    const jars = [...image.matchAll(/^ +(\S+:\S+:[^\s;]+);? \\$/gm)].map(([, coordinates]) => coordinates);

    expect(installed.length).toBeGreaterThan(0);
    expect(installed.filter((pin) => !local.includes(pin))).toEqual([]);
    expect(jars).toEqual(
      JARS.filter(({ artifactId }) => /sedona|geotools/.test(artifactId)).map(
        ({ groupId, artifactId, version }) => `${groupId}:${artifactId}:${version}`,
      ),
    );
  });

  test('S2.10 stored records are catalogued with their types and lineage, by event date', () => {
    template.hasResourceProperties('AWS::Glue::Table', {
      TableInput: {
        Name: 'mobile_positions',
        PartitionKeys: [{ Name: 'event_date', Type: 'date' }],
        StorageDescriptor: {
          Columns: [
            { Name: 'event_time', Type: 'timestamp' },
            { Name: 'device_id', Type: 'string' },
            { Name: 'longitude', Type: 'double' },
            { Name: 'latitude', Type: 'double' },
            { Name: 'speed', Type: 'double' },
            { Name: 'altitude', Type: 'double' },
            { Name: 'cycle_id', Type: 'string' },
            { Name: 'generation', Type: 'int' },
            { Name: 'raw_object', Type: 'string' },
            { Name: 'raw_version', Type: 'string' },
            { Name: 'raw_line', Type: 'bigint' },
          ],
        },
      },
    });
  });

  test('the candidate table is the one that the gate looks at, with the relation’s columns in order and geometry as bytes', () => {
    const relation = mobileGeolocation.relations[0];
    const table = resources('AWS::Glue::Table')
      .map(
        ({ Properties }) =>
          Properties['TableInput'] as {
            Name: string;
            PartitionKeys: unknown;
            StorageDescriptor: { Columns: { Name: string; Type: string }[] };
          },
      )
      .find(({ Name }) => Name === candidateCatalogTable('mobile_positions'));

    expect(table?.PartitionKeys).toEqual([
      { Name: 'run_id', Type: 'string' },
      { Name: 'origin', Type: 'string' },
    ]);
    expect(table?.StorageDescriptor.Columns.map(({ Name }) => Name)).toEqual(relation.columns.map(({ name }) => name));
    expect(table?.StorageDescriptor.Columns.find(({ Name }) => Name === 'geom')).toEqual({
      Name: 'geom',
      Type: 'binary',
    });
  });

  test.each(pipelines.flatMap((spec) => QUALITY_STEPS.map((step) => [spec, step] as const)))(
    'S2.17 the rulesets that the gate asks for are deployed (%#)',
    (spec, step) => {
      template.hasResourceProperties('AWS::Glue::DataQualityRuleset', {
        Name: rulesetName(spec.name, step, spec.quality[step]),
        Ruleset: rulesetText(spec.quality[step]),
        TargetTable: { DatabaseName: 'meridian', TableName: candidateCatalogTable(spec.dataset) },
      });
    },
  );

  test('X15 another pipeline is one more declaration: its tables, rulesets and alarms follow', () => {
    const places = { ...mobileGeolocation, name: 'places', dataset: 'places' } satisfies PipelineSpec;
    const grown = synthesise([...pipelines, places]);

    for (const [type, more] of [
      ['AWS::Glue::Table', 2],
      ['AWS::Glue::DataQualityRuleset', 2],
      ['AWS::CloudWatch::Alarm', 2],
      ['AWS::IAM::Policy', 0],
    ] as const) {
      expect([type, resourceCount(grown, type) - resourceCount(template, type)]).toEqual([type, more]);
    }
  });

  test('a pipeline whose gate checks an unknown relation is refused by name', () => {
    const wrong: PipelineSpec = {
      ...mobileGeolocation,
      quality: { ...mobileGeolocation.quality, relation: 'nowhere' },
    };

    expect(() => synthesise([wrong])).toThrow(/Pipeline "mobile-geolocation" checks the relation "nowhere"/);
  });
});

describe('The CloudFormation template: events of arriving objects', () => {
  const ingest = { mode: 'on-object', maxObjects: 100, maxBytes: 64 * 1024 ** 2, maxAgeSeconds: 300, sweepMinutes: 15 } as const;
  const one: PipelineSpec = { ...mobileGeolocation, ingest };
  const other: PipelineSpec = { ...one, name: 'places', dataset: 'places', raw: { ...one.raw, prefix: 'places/' }, ingest: { ...ingest, mode: 'both' } };
  const nightly: PipelineSpec = { ...one, name: 'stops', dataset: 'stops', raw: { ...one.raw, prefix: 'stops/' }, ingest: { ...ingest, mode: 'nightly' } };
  const events = synthesise([one, other, nightly]);
  const idOf = (type: string, prefix: string) => Object.keys(events.findResources(type)).find((id) => id.startsWith(prefix));
  const topic = { Ref: idOf('AWS::SNS::Topic', 'Arrivals') };
  const queue = { 'Fn::GetAtt': [idOf('AWS::SQS::Queue', 'ArrivalsQueue'), 'Arn'] };

  test('S1.2 S1.3 a new object of a pipeline that runs on objects goes from its bucket by a rule to the topic, others do not', () => {
    const [raw] = Object.keys(events.findResources('AWS::S3::Bucket', { Properties: { NotificationConfiguration: { EventBridgeConfiguration: { EventBridgeEnabled: true } } } }));

    expect(raw).toMatch(/^LakeRaw/);
    events.resourceCountIs('AWS::Events::Rule', 1);
    events.hasResourceProperties('AWS::Events::Rule', {
      EventPattern: {
        source: ['aws.s3'],
        'detail-type': ['Object Created'],
        detail: { bucket: { name: [{ Ref: raw }] }, object: { key: [{ prefix: one.raw.prefix }, { prefix: 'places/' }] } },
      },
      Targets: [{ Arn: topic, Id: Match.anyValue() }],
    });
  });

  test('a template without such a pipeline has the queue, but no rule that fills it', () => {
    synthesise([nightly]).resourceCountIs('AWS::Events::Rule', 0);
    synthesise([nightly]).resourceCountIs('AWS::SQS::Queue', 2);
  });

  test('S1.5 S2.21 S2.23 only the rule publishes to the topic, only the topic to the queue; both encrypt and refuse what is not TLS', () => {
    events.hasResourceProperties('AWS::SNS::Subscription', { TopicArn: topic, Protocol: 'sqs', Endpoint: queue, RawMessageDelivery: true });
    const allowed = (type: string, subject: string) =>
      Object.entries(events.findResources(type))
        .filter(([id]) => id.startsWith(subject))
        .flatMap(([, { Properties }]) => (Properties as { PolicyDocument: { Statement: Statement[] } }).PolicyDocument.Statement);

    expect(allowed('AWS::SNS::TopicPolicy', 'ArrivalsTopic')).toEqual([
      expect.objectContaining({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
      expect.objectContaining({
        Effect: 'Allow',
        Action: 'sns:Publish',
        Principal: { Service: 'events.amazonaws.com' },
        Condition: { ArnEquals: { 'aws:SourceArn': { 'Fn::GetAtt': [idOf('AWS::Events::Rule', 'Arrivals'), 'Arn'] } } },
      }),
    ]);
    expect(allowed('AWS::SQS::QueuePolicy', 'ArrivalsQueue')).toEqual([
      expect.objectContaining({ Effect: 'Deny', Action: 'sqs:*', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
      expect.objectContaining({
        Effect: 'Allow',
        Action: 'sqs:SendMessage',
        Principal: { Service: 'sns.amazonaws.com' },
        Condition: { ArnEquals: { 'aws:SourceArn': topic } },
      }),
    ]);
    events.allResourcesProperties('AWS::SQS::Queue', { SqsManagedSseEnabled: true });
  });

  test('S1.14 a message that is received five times and never deleted goes to a queue of its own, which alarms', () => {
    const dead = idOf('AWS::SQS::Queue', 'ArrivalsDeadLetters');

    events.hasResourceProperties('AWS::SQS::Queue', {
      VisibilityTimeout: 120,
      RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': [dead, 'Arn'] }, maxReceiveCount: 5 },
    });
    events.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'ApproximateNumberOfMessagesVisible',
      Dimensions: [{ Name: 'QueueName', Value: { 'Fn::GetAtt': [dead, 'QueueName'] } }],
      Threshold: 1,
      AlarmActions: [{ Ref: idOf('AWS::SNS::Topic', 'Outcomes') }],
    });
  });

  test('S2.21 the worker takes from that queue alone', () => {
    const onQueues = statementsOf(events)
      .map(({ statement }) => statement)
      .filter(({ Action }) => list(Action).some((action) => action.startsWith('sqs:')));

    expect(onQueues.map(({ Action, Resource }) => [Action, Resource])).toEqual([
      [['sqs:ChangeMessageVisibility', 'sqs:DeleteMessage', 'sqs:ReceiveMessage'], queue],
    ]);
  });
});

describe('The CloudFormation template: outcomes and outputs', () => {
  test.each(['GateFailed', 'CycleFailed'])('S2.18 S4.19 a failed gate and a failed cycle alarm the topic, on the metric that cycles report: %s', (MetricName) => {
    const [topic] = Object.keys(template.findResources('AWS::SNS::Topic'));

    for (const { name } of pipelines) {
      template.hasResourceProperties('AWS::CloudWatch::Alarm', {
        Namespace: 'Meridian',
        MetricName,
        Dimensions: [{ Name: 'Pipeline', Value: name }],
        Threshold: 1,
        EvaluationPeriods: 1,
        ComparisonOperator: 'GreaterThanOrEqualToThreshold',
        TreatMissingData: 'notBreaching',
        AlarmActions: [{ Ref: topic }],
      });
    }
  });

  test('the topic’s policy lets nothing in without TLS', () => {
    template.hasResourceProperties('AWS::SNS::TopicPolicy', {
      PolicyDocument: { Statement: Match.arrayWith([Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } })]) },
    });
  });

  test('X14 every name that the worker reads has its output, and each output its own value', () => {
    const outputs = template.findOutputs('*') as Record<string, { Value: unknown }>;
    const values = Object.keys(STACK_OUTPUTS).map((key) => JSON.stringify(outputs[key]?.Value));

    expect(values).not.toContain(undefined);
    expect(new Set(values).size).toBe(values.length);
  });

  test('S2.25 CloudFormation takes the template as it is, from a bucket where it is larger than a request: no assets, no bootstrap, below its 1,000,000 bytes', () => {
    const text = JSON.stringify(template.toJSON());

    expect(text).not.toMatch(/BootstrapVersion|AssetParameters|cdk-hnb659fds|AWS::CDK::Metadata/);
    expect(Buffer.byteLength(text)).toBeLessThan(1_000_000);
  });

  test('synthesis depends on its sources alone', () => {
    expect(synthesise(pipelines).toJSON()).toEqual(template.toJSON());
  });
});

function resourceCount(of: Template, type: string): number {
  return Object.keys(of.findResources(type)).length;
}
