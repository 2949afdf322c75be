import {
  CloudFormationClient,
  DescribeStacksCommand,
  paginateListStackResources,
} from '@aws-sdk/client-cloudformation';
import { CloudWatchClient, DescribeAlarmsCommand, GetDashboardCommand } from '@aws-sdk/client-cloudwatch';
import {
  DescribeContinuousBackupsCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  DynamoDBClient,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { EMRServerlessClient, GetApplicationCommand } from '@aws-sdk/client-emr-serverless';
import { GetDataQualityRulesetCommand, GetTableCommand, GlueClient } from '@aws-sdk/client-glue';
import {
  DeleteBucketCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { GetTopicAttributesCommand, ListSubscriptionsByTopicCommand, SNSClient } from '@aws-sdk/client-sns';
import { MockActivityEnvironment } from '@temporalio/testing';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { candidateCatalogTable } from '../../activities/gate-partitions';
import { createPublicationActivities } from '../../activities/publication';
import { QUALITY_STEPS, rulesetName, rulesetText } from '../../domain/ruleset';
import { STACK_OUTPUTS } from '../../domain/stack-outputs';
import { cycleFailedAlarm, gateFailedAlarm } from '../../infra/aws/alarm-names';
import { deployStack as deployTo, UNASKED } from '../../infra/deploy/deploy-stack';
import { STACKS } from '../../infra/deploy/stacks';
import { synthesise, templateOf } from '../../infra/deploy/synthesis';
import { type Template } from '../../infra/deploy/template';
import { deployLocal, deployLocalStack, localTarget } from '../../infra/local/deploy';
import { type Progress, silent } from '../../infra/local/progress';
import { closeGaps, TEMPLATE_GAPS } from '../../infra/local/template-gaps';
import { withConditions } from '../../infra/local/template-conditions';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import { type LocalAws, startLocalAws } from '../support/local-aws';

const home = mkdtempSync(join(tmpdir(), 'meridian-deploy-'));
let aws: LocalAws;
let deployed: Record<string, string>;

/** Stacks of two regions know nothing of each other: a test that breaks one takes a region of its own. */
function clientsIn(region: string) {
  const connection = { ...aws.clientConfig, region };
  return {
    cloudformation: new CloudFormationClient(connection),
    cloudwatch: new CloudWatchClient(connection),
    dynamodb: new DynamoDBClient(connection),
    emr: new EMRServerlessClient(connection),
    glue: new GlueClient(connection),
    s3: new S3Client(connection),
    sns: new SNSClient(connection),
  };
}
const deploy = (region = 'us-east-1', progress: Progress = silent) =>
  deployLocal({ home, env: { ...aws.env, AWS_REGION: region }, progress });
const bucketOf = (zone: string) => deployed[`MERIDIAN_${zone}_BUCKET`] ?? '';

const dataTemplate = async () => templateOf(await synthesise(home, silent.note), 'Meridian');

async function deployStack({ cloudformation, s3 }: Pick<ReturnType<typeof clientsIn>, 'cloudformation' | 's3'>, template: Template, stack = 'Meridian') {
  const deployed = await deployTo(localTarget(cloudformation, s3), { stack, template, parameters: {} }, UNASKED);
  if (deployed === undefined) throw new Error('Not confirmed');
  return deployed;
}

beforeAll(async () => {
  aws = await startLocalAws();
  deployed = await deploy();
});
afterAll(async () => {
  await aws.stop();
  rmSync(home, { recursive: true, force: true });
});

describe('Deploying the template to the local AWS', () => {
  test('S2.25 X14 every resource of the template that AWS gets is made', async () => {
    const { cloudformation } = clientsIn('us-east-1');
    const template = await dataTemplate();

    const states: Record<string, string> = {};
    for await (const page of paginateListStackResources({ client: cloudformation }, { StackName: 'Meridian' })) {
      for (const { LogicalResourceId, ResourceStatus } of page.StackResourceSummaries ?? []) {
        states[LogicalResourceId ?? ''] = ResourceStatus ?? '';
      }
    }

    expect(states).toEqual(Object.fromEntries(Object.keys(withConditions(template).Resources).map((id) => [id, 'CREATE_COMPLETE'])));
  });

  test('gives every name that the worker reads, each of something that answers', async () => {
    const { s3, dynamodb, emr, glue } = clientsIn('us-east-1');

    expect(Object.keys(deployed).sort()).toEqual([...Object.values(STACK_OUTPUTS), 'MERIDIAN_JOBS_URI', 'MERIDIAN_WORKER_ROLE_ARN'].sort());
    for (const zone of ['RAW', 'STORAGE', 'REFINED', 'QUARANTINE', 'ARTIFACTS']) {
      await s3.send(new HeadBucketCommand({ Bucket: bucketOf(zone) }));
    }
    for (const name of ['LEDGER', 'OBJECTS']) {
      const { Table } = await dynamodb.send(
        new DescribeTableCommand({ TableName: deployed[`MERIDIAN_${name}_TABLE`] }),
      );
      expect(Table?.KeySchema?.map(({ AttributeName }) => AttributeName)).toEqual(['pk', 'sk']);
      expect(Table?.BillingModeSummary?.BillingMode).toBe('PAY_PER_REQUEST');
    }
    const { application } = await emr.send(
      new GetApplicationCommand({ applicationId: deployed['MERIDIAN_EMR_APPLICATION_ID'] }),
    );
    expect(application).toMatchObject({
      type: expect.stringMatching(/^spark$/i) as string,
      autoStopConfiguration: { enabled: true },
    });
    for (const Name of [mobileGeolocation.dataset, candidateCatalogTable(mobileGeolocation.dataset)]) {
      const { Table } = await glue.send(
        new GetTableCommand({ DatabaseName: deployed['MERIDIAN_GLUE_DATABASE'], Name }),
      );
      expect(Table?.PartitionKeys?.length).toBeGreaterThan(0);
    }
  });

  test.each(QUALITY_STEPS)(
    'S2.17 the rules of the step "%s" are at hand under the name that the gate asks for',
    async (step) => {
      const rules = mobileGeolocation.quality[step];

      const { Ruleset } = await clientsIn('us-east-1').glue.send(
        new GetDataQualityRulesetCommand({ Name: rulesetName(mobileGeolocation.name, step, rules) }),
      );

      expect(Ruleset).toBe(rulesetText(rules));
    },
  );

  test('again, it changes nothing', async () => {
    const { cloudformation } = clientsIn('us-east-1');
    const stackNow = async () =>
      (await cloudformation.send(new DescribeStacksCommand({ StackName: 'Meridian' }))).Stacks?.[0];
    const before = await stackNow();
    const templates = readdirSync(join(home, 'template'));
    const notes: string[] = [];

    const again = await deploy('us-east-1', { ...silent, note: (message) => void notes.push(message) });

    expect(again).toEqual(deployed);
    expect(notes).toEqual(['Infrastructure is as the template says']);
    expect(await stackNow()).toEqual(before);
    expect(readdirSync(join(home, 'template'))).toEqual(templates);
  });

  test('two deployments at once come to one stack', async () => {
    const [one, other] = await Promise.all([deploy('eu-west-1'), deploy('eu-west-1')]);

    expect(one).toEqual(other);
    expect(one['MERIDIAN_RAW_BUCKET']).not.toBe(deployed['MERIDIAN_RAW_BUCKET']);
  });

  test('a changed template updates the stack and keeps its buckets with what is in them', async () => {
    const { cloudformation, s3 } = clientsIn('eu-central-1');
    const before = await deploy('eu-central-1');
    await s3.send(new PutObjectCommand({ Bucket: before['MERIDIAN_RAW_BUCKET'], Key: 'kept', Body: 'kept' }));
    const template = await dataTemplate();
    const grown: Template = { ...template, Resources: { ...template.Resources, Another: { Type: 'AWS::S3::Bucket' } } };

    const { change, outputs, resources } = await deployStack({ cloudformation, s3 }, grown);

    expect(change).toBe('updated');
    expect(outputs['MeridianRawBucket']).toBe(before['MERIDIAN_RAW_BUCKET']);
    await s3.send(new HeadBucketCommand({ Bucket: resources['Another'] }));
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: before['MERIDIAN_RAW_BUCKET'], Key: 'kept' }));
    expect(await Body?.transformToString()).toBe('kept');
  });

  test('a refused resource is named with its reason, and the next deployment replaces the failed stack', async () => {
    const { cloudformation, s3 } = clientsIn('ap-south-1');
    const template = await dataTemplate();
    const broken: Template = {
      ...template,
      Resources: {
        ...template.Resources,
        Orphan: {
          Type: 'AWS::Glue::Table',
          Properties: { CatalogId: '1', DatabaseName: 'nowhere', TableInput: { Name: 't' } },
        },
      },
    };

    await expect(deployStack({ cloudformation, s3 }, broken)).rejects.toThrow(
      /Meridian ended in ROLLBACK_COMPLETE: Orphan \(AWS::Glue::Table\): .*nowhere/s,
    );

    expect(Object.keys(await deploy('ap-south-1')).sort()).toEqual(Object.keys(deployed).sort());
  });

  test('a bucket that is gone though the stack has it is named, with the way out', async () => {
    const { s3 } = clientsIn('sa-east-1');
    const before = await deploy('sa-east-1');
    await s3.send(new DeleteBucketCommand({ Bucket: before['MERIDIAN_REFINED_BUCKET'] }));

    await expect(deploy('sa-east-1')).rejects.toThrow(
      new RegExp(`of AWS::S3::Bucket ${before['MERIDIAN_REFINED_BUCKET']} is gone .*"meridian down --purge"`),
    );
  });

  test('after the local AWS went down and came up, everything is where it was', async () => {
    const notes: string[] = [];

    await aws.terminate();
    await aws.restart();
    const again = await deploy('us-east-1', { ...silent, note: (message) => void notes.push(message) });

    expect(again).toEqual(deployed);
    expect(notes).toEqual(['Infrastructure is as the template says']);
  });

  test('without the connection it says everything that is missing', async () => {
    await expect(deployLocal({ home, env: { AWS_REGION: 'us-east-1' }, progress: silent })).rejects.toThrow(
      'Cannot deploy to the local AWS without AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: start the stack with "meridian up"',
    );
  });
});

describe('What the emulator drops from templates', () => {
  test('S2.15 both tables expire items by "ttl" and can be restored', async () => {
    const { dynamodb } = clientsIn('us-east-1');

    for (const TableName of [deployed['MERIDIAN_LEDGER_TABLE'], deployed['MERIDIAN_OBJECTS_TABLE']]) {
      const { TimeToLiveDescription } = await dynamodb.send(new DescribeTimeToLiveCommand({ TableName }));
      expect(TimeToLiveDescription).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'ttl' });
      const { ContinuousBackupsDescription } = await dynamodb.send(new DescribeContinuousBackupsCommand({ TableName }));
      expect(ContinuousBackupsDescription?.PointInTimeRecoveryDescription?.PointInTimeRecoveryStatus).toBe('ENABLED');
    }
  });

  test('S2.22 S2.23 buckets are encrypted and private, raw objects versioned, and old logs expire', async () => {
    const { s3 } = clientsIn('us-east-1');

    for (const zone of ['RAW', 'STORAGE', 'REFINED', 'QUARANTINE', 'ARTIFACTS']) {
      const Bucket = bucketOf(zone);
      const { ServerSideEncryptionConfiguration } = await s3.send(new GetBucketEncryptionCommand({ Bucket }));
      expect(ServerSideEncryptionConfiguration?.Rules?.[0]?.ApplyServerSideEncryptionByDefault).toEqual({
        SSEAlgorithm: 'AES256',
      });
      const { PublicAccessBlockConfiguration } = await s3.send(new GetPublicAccessBlockCommand({ Bucket }));
      expect(Object.values(PublicAccessBlockConfiguration ?? {})).toEqual([true, true, true, true]);
      const { Status } = await s3.send(new GetBucketVersioningCommand({ Bucket }));
      expect([zone, Status]).toEqual([zone, ['RAW', 'STORAGE', 'ARTIFACTS'].includes(zone) ? 'Enabled' : undefined]);
    }
    const { Rules } = await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket: bucketOf('ARTIFACTS') }));
    expect(Rules).toContainEqual({
      ID: 'expire-logs',
      Status: 'Enabled',
      Filter: { Prefix: 'logs/' },
      Expiration: { Days: 30 },
      NoncurrentVersionExpiration: { NoncurrentDays: 1 },
    });
  });

  test('a property undone since is mended by the next deployment', async () => {
    const { dynamodb } = clientsIn('us-east-1');
    const TableName = deployed['MERIDIAN_LEDGER_TABLE'];
    await dynamodb.send(
      new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: false } }),
    );
    const notes: string[] = [];

    await deploy('us-east-1', { ...silent, note: (message) => void notes.push(message) });

    expect(notes).toEqual([expect.stringMatching(/^Infrastructure mended/)]);
    const { TimeToLiveDescription } = await dynamodb.send(new DescribeTimeToLiveCommand({ TableName }));
    expect(TimeToLiveDescription?.TimeToLiveStatus).toBe('ENABLED');
  });

  // When one of these fails, the emulator has learnt the property: take its row out of the table.
  test.each(TEMPLATE_GAPS)('$resourceType $property is really dropped, and applied by its row', async (gap) => {
    const clients = clientsIn(`gap-${TEMPLATE_GAPS.indexOf(gap)}`);
    const template = withoutDefaults(gap.resourceType);
    const stack = await deployStack(clients, template);
    const { resources } = stack;
    const [[logicalId, physicalId] = ['', '']] = Object.entries(resources);
    const wanted = gap.wanted(template.Resources[logicalId]?.Properties?.[gap.property]);

    expect(await gap.read(clients, physicalId)).not.toEqual(wanted);
    await closeGaps(clients, template, stack);

    expect(await gap.read(clients, physicalId)).toEqual(wanted);
    expect(await closeGaps(clients, template, stack)).toBe(0);
  });
});

describe('With its options', () => {
  const region = 'eu-north-1';
  const withOptions = async (parameters: Readonly<Record<string, string>>, note: Progress['note'] = silent.note) => {
    const template = templateOf(await synthesise(home, note), STACKS.data);
    return await deployLocalStack({
      ...{ home, env: { ...aws.env, AWS_REGION: region }, progress: { ...silent, note } },
      ...{ stack: STACKS.data, template, parameters, hooks: UNASKED },
    });
  };

  test('S2.23 S0.4 the same template deploys under a customer key and with warm workers, and what the emulator drops of them is read back', async () => {
    const { dynamodb, emr, s3, sns } = clientsIn(region);

    const made = await withOptions({ LakeEncryption: 'kms', SparkWarmExecutors: '2', SparkIdleMinutes: '7' });

    const { outputs = {}, resources = {} } = made?.stack ?? {};
    const key = Object.entries(resources).find(([id]) => /^Key[0-9A-F]{8}$/.test(id))?.[1];
    const { ServerSideEncryptionConfiguration } = await s3.send(new GetBucketEncryptionCommand({ Bucket: outputs['MeridianStorageBucket'] }));
    expect(ServerSideEncryptionConfiguration?.Rules).toEqual([
      { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: key }, BucketKeyEnabled: true },
    ]);
    const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName: outputs['MeridianLedgerTable'] }));
    expect(Table?.SSEDescription?.KMSMasterKeyArn?.split('/').at(-1)).toBe(key);
    const { Attributes } = await sns.send(new GetTopicAttributesCommand({ TopicArn: outputs['MeridianOutcomeTopicArn'] }));
    expect(Attributes?.['KmsMasterKeyId']).toBe(key);
    const { application } = await emr.send(new GetApplicationCommand({ applicationId: outputs['MeridianEmrApplicationId'] }));
    expect(application).toMatchObject({ initialCapacity: { Executor: { workerCount: 2 } }, autoStopConfiguration: { idleTimeoutMinutes: 7 } });

    const notes: string[] = [];
    await withOptions({}, (message) => void notes.push(message));
    expect(notes).toEqual(['Infrastructure is as the template says']); // the options stay
  });

  test('S2.24 copies in another region, which the emulator would not make without a word, are refused by name', async () => {
    await expect(withOptions({ StorageReplicaBucketArn: 'arn:aws:s3:::copies', LakeEncryption: 's3' })).rejects.toThrow(/makes no copies of LakeStorage\w+ .*without StorageReplicaBucketArn/);
  });
});

describe('The alarms of a failed gate and a failed cycle', () => {
  test('S2.18 S4.19 go off when cycles report a rejection and a failure', async () => {
    const { cloudwatch, glue, sns } = clientsIn('us-east-1');
    const { announceOutcome } = createPublicationActivities({
      cloudwatch,
      glue,
      sns,
      glueDatabase: deployed['MERIDIAN_GLUE_DATABASE'] ?? '',
      topicArn: deployed['MERIDIAN_OUTCOME_TOPIC_ARN'] ?? '',
      storageBucket: bucketOf('STORAGE'),
      liveStorageFiles: () => Promise.resolve([]),
      claimNotification: () => Promise.resolve(true),
      confirmNotification: () => Promise.resolve(),
    });
    const cycle = {
      pipeline: mobileGeolocation.name,
      dataset: mobileGeolocation.dataset,
      intervalStart: '2018-08-01T00:00:00Z',
      intervalEnd: '2018-08-02T00:00:00Z',
      generation: 1,
    };
    const AlarmNames = [cycleFailedAlarm(cycle.pipeline), gateFailedAlarm(cycle.pipeline)];
    const alarms = async () => (await cloudwatch.send(new DescribeAlarmsCommand({ AlarmNames }))).MetricAlarms ?? [];
    const ringing = async () => (await alarms()).filter(({ StateValue }) => StateValue === 'ALARM');
    expect(await alarms()).toHaveLength(2);
    expect(await ringing()).toEqual([]);

    for (const outcome of ['rejected', 'failed'] as const) {
      await new MockActivityEnvironment().run(announceOutcome, { cycle, outcome, counts: { RecordsStored: 1 } });
    }

    const deadline = Date.now() + 45_000;
    while ((await ringing()).length < 2 && Date.now() < deadline) await sleep(200);
    expect((await ringing()).map(({ AlarmActions }) => AlarmActions)).toEqual(Array(2).fill([deployed['MERIDIAN_OUTCOME_TOPIC_ARN']]));
  });
});

describe('The monitoring stack beside it', () => {
  test('S4.20 X14 imports what the data stack exports: a dashboard of real names, and who is told', async () => {
    const { cloudformation, cloudwatch, sns } = clientsIn('us-east-1');
    const template = templateOf(await synthesise(home, silent.note), STACKS.monitoring);
    const parameters = { AlarmEmail: 'ops@example.org', FreshnessHours: '26' };

    const stack = await deployTo(localTarget(cloudformation), { stack: STACKS.monitoring, template, parameters }, UNASKED);

    expect(Object.keys(stack?.resources ?? {}).sort()).toEqual(Object.keys(withConditions(template, parameters).Resources).sort());
    const { DashboardBody = '' } = await cloudwatch.send(new GetDashboardCommand({ DashboardName: STACKS.monitoring }));
    const named = JSON.stringify(JSON.parse(DashboardBody));
    for (const name of ['LEDGER_TABLE', 'OBJECTS_TABLE', 'EMR_APPLICATION_ID']) expect(named).toContain(deployed[`MERIDIAN_${name}`]);
    expect(named).toContain(`"QueueName","${deployed['MERIDIAN_EVENT_QUEUE_URL']?.split('/').at(-1)}"`);
    const TopicArn = deployed['MERIDIAN_OUTCOME_TOPIC_ARN'];
    const { Subscriptions } = await sns.send(new ListSubscriptionsByTopicCommand({ TopicArn }));
    expect(Subscriptions?.map(({ Protocol, Endpoint }) => [Protocol, Endpoint])).toEqual([['email', 'ops@example.org']]);
  });
});

/** One resource whose every property of the table differs from what the service gives by itself. */
function withoutDefaults(resourceType: string): Template {
  const properties: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    'AWS::DynamoDB::Table': {
      BillingMode: 'PAY_PER_REQUEST',
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      TimeToLiveSpecification: { AttributeName: 'until', Enabled: true },
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      SSESpecification: { SSEEnabled: true, SSEType: 'KMS', KMSMasterKeyId: 'a-key' },
    },
    'AWS::SNS::Topic': { KmsMasterKeyId: 'a-key' },
    'AWS::S3::Bucket': {
      LifecycleConfiguration: { Rules: [{ Id: 'old', Status: 'Enabled', Prefix: 'old/', ExpirationInDays: 3 }] },
      // SSE-S3 is what a bucket has anyway.
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [{ BucketKeyEnabled: true, ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: 'a-key' } }],
      },
    },
  };
  return { Resources: { Only: { Type: resourceType, Properties: properties[resourceType] ?? {} } } };
}
