import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStacksCommand,
  type Stack,
  UpdateStackCommand,
} from '@aws-sdk/client-cloudformation';
import { EMRServerlessClient, GetApplicationCommand, StartApplicationCommand } from '@aws-sdk/client-emr-serverless';
import { GetDataQualityRulesetCommand, GetTableCommand, GlueClient } from '@aws-sdk/client-glue';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LocalAws, startLocalAws } from '../support/local-aws';

interface Sizes {
  readonly idleMinutes: number;
  readonly rules: string;
}

/** One of each type that the product's template has; the two that the emulator lacks are ours. */
function template({ idleMinutes, rules }: Sizes): string {
  return JSON.stringify({
    Resources: {
      Bucket: { Type: 'AWS::S3::Bucket', Properties: { BucketName: 'contract-lake' } },
      Table: {
        Type: 'AWS::DynamoDB::Table',
        Properties: {
          TableName: 'contract-ledger',
          BillingMode: 'PAY_PER_REQUEST',
          AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
          KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
        },
      },
      Topic: { Type: 'AWS::SNS::Topic' },
      Role: {
        Type: 'AWS::IAM::Role',
        Properties: {
          AssumeRolePolicyDocument: {
            Version: '2012-10-17',
            Statement: [
              { Effect: 'Allow', Principal: { Service: 'emr-serverless.amazonaws.com' }, Action: 'sts:AssumeRole' },
            ],
          },
        },
      },
      Policy: {
        Type: 'AWS::IAM::Policy',
        Properties: {
          PolicyName: 'read',
          Roles: [{ Ref: 'Role' }],
          PolicyDocument: {
            Version: '2012-10-17',
            Statement: [
              { Effect: 'Allow', Action: 'emr-serverless:GetJobRun', Resource: { 'Fn::Sub': '${Application.Arn}/*' } },
            ],
          },
        },
      },
      Alarm: {
        Type: 'AWS::CloudWatch::Alarm',
        Properties: {
          MetricName: 'RejectedCycles',
          Namespace: 'Meridian',
          Statistic: 'Sum',
          Period: 300,
          EvaluationPeriods: 1,
          Threshold: 1,
          ComparisonOperator: 'GreaterThanOrEqualToThreshold',
          AlarmActions: [{ Ref: 'Topic' }],
        },
      },
      Database: {
        Type: 'AWS::Glue::Database',
        Properties: { CatalogId: { Ref: 'AWS::AccountId' }, DatabaseInput: { Name: 'contract_db' } },
      },
      GlueTable: {
        Type: 'AWS::Glue::Table',
        DependsOn: 'Database',
        Properties: {
          CatalogId: { Ref: 'AWS::AccountId' },
          DatabaseName: 'contract_db',
          TableInput: {
            Name: 'positions',
            StorageDescriptor: { Columns: [{ Name: 'id', Type: 'string' }], Location: 's3://contract-lake/positions/' },
            PartitionKeys: [{ Name: 'run_id', Type: 'string' }],
          },
        },
      },
      Application: {
        Type: 'AWS::EMRServerless::Application',
        Properties: {
          Name: 'contract',
          ReleaseLabel: 'emr-7.5.0',
          Type: 'SPARK',
          AutoStopConfiguration: { Enabled: true, IdleTimeoutMinutes: idleMinutes },
          MaximumCapacity: { Cpu: '16 vCPU', Memory: '64 GB' },
          InitialCapacity: [
            { Key: 'Driver', Value: { WorkerCount: 1, WorkerConfiguration: { Cpu: '2 vCPU', Memory: '4 GB' } } },
          ],
          RuntimeConfiguration: [{ Classification: 'spark-defaults', Properties: { 'spark.Example.Key': 'kept' } }],
          Tags: [{ Key: 'Team', Value: 'maps' }],
        },
      },
      Ruleset: {
        Type: 'AWS::Glue::DataQualityRuleset',
        Properties: {
          Name: 'contract-rules',
          Ruleset: rules,
          TargetTable: { DatabaseName: 'contract_db', TableName: 'positions' },
        },
      },
    },
    Outputs: {
      Ref: { Value: { Ref: 'Application' } },
      Id: { Value: { 'Fn::GetAtt': ['Application', 'ApplicationId'] } },
      Arn: { Value: { 'Fn::GetAtt': ['Application', 'Arn'] } },
      Ruleset: { Value: { Ref: 'Ruleset' } },
    },
  });
}

const StackName = 'contract';
let aws: LocalAws;
let cloudFormation: CloudFormationClient;
let emr: EMRServerlessClient;
let glue: GlueClient;

beforeAll(async () => {
  aws = await startLocalAws();
  cloudFormation = new CloudFormationClient(aws.clientConfig);
  emr = new EMRServerlessClient(aws.clientConfig);
  glue = new GlueClient(aws.clientConfig);
}, 90_000);

afterAll(async () => {
  for (const client of [cloudFormation, emr, glue]) client.destroy();
  await aws.stop();
});

async function settled(name = StackName): Promise<Stack> {
  for (;;) {
    const { Stacks } = await cloudFormation.send(new DescribeStacksCommand({ StackName: name }));
    const stack = Stacks?.[0];
    if (stack !== undefined && !stack.StackStatus?.endsWith('_IN_PROGRESS')) return stack;
    await sleep(50);
  }
}

function outputs(stack: Stack): Record<string, string> {
  return Object.fromEntries((stack.Outputs ?? []).map((output) => [output.OutputKey ?? '', output.OutputValue ?? '']));
}

test('a template with EMR Serverless and Glue Data Quality is created, updated in place and deleted whole (S1.10, S2.25, X14)', async () => {
  const first = template({ idleMinutes: 15, rules: 'Rules = [ RowCount > 0 ]' });
  const made = await cloudFormation.send(
    new CreateStackCommand({ StackName, TemplateBody: first, Capabilities: ['CAPABILITY_IAM'] }),
  );
  const created = await settled();

  expect(created).toMatchObject({ StackStatus: 'CREATE_COMPLETE' });
  const { Ref: applicationId, Id, Arn, Ruleset } = outputs(created);
  expect(Id).toBe(applicationId);
  expect(Arn).toBe(`arn:aws:emr-serverless:us-east-1:000000000000:/applications/${applicationId}`);
  const { application } = await emr.send(new GetApplicationCommand({ applicationId }));
  expect(application).toMatchObject({
    name: 'contract',
    type: 'Spark',
    maximumCapacity: { cpu: '16 vCPU', memory: '64 GB' },
    initialCapacity: { Driver: { workerCount: 1, workerConfiguration: { cpu: '2 vCPU' } } },
    runtimeConfiguration: [{ classification: 'spark-defaults', properties: { 'spark.Example.Key': 'kept' } }],
    tags: { Team: 'maps' },
  });
  expect(
    (await glue.send(new GetTableCommand({ DatabaseName: 'contract_db', Name: 'positions' }))).Table?.PartitionKeys,
  ).toHaveLength(1);

  await emr.send(new StartApplicationCommand({ applicationId }));
  const second = template({ idleMinutes: 30, rules: 'Rules = [ RowCount > 7 ]' });
  await cloudFormation.send(
    new UpdateStackCommand({ StackName, TemplateBody: second, Capabilities: ['CAPABILITY_IAM'] }),
  );
  const updated = await settled();

  expect(updated).toMatchObject({ StackStatus: 'UPDATE_COMPLETE' });
  expect(outputs(updated)['Ref']).toBe(applicationId);
  const again = await emr.send(new GetApplicationCommand({ applicationId }));
  expect(again.application?.autoStopConfiguration?.idleTimeoutMinutes).toBe(30);
  expect((await glue.send(new GetDataQualityRulesetCommand({ Name: Ruleset }))).Ruleset).toBe(
    'Rules = [ RowCount > 7 ]',
  );

  await cloudFormation.send(new DeleteStackCommand({ StackName }));
  expect((await settled(made.StackId)).StackStatus).toBe('DELETE_COMPLETE');
  expect((await emr.send(new GetApplicationCommand({ applicationId }))).application?.state).toBe('TERMINATED');
  await expect(glue.send(new GetDataQualityRulesetCommand({ Name: Ruleset }))).rejects.toMatchObject({
    name: 'EntityNotFoundException',
  });
});

test('a ruleset that is no DQDL fails the stack, which then rolls back', async () => {
  const TemplateBody = template({ idleMinutes: 15, rules: 'RowCount > 0' });

  await cloudFormation.send(
    new CreateStackCommand({ StackName: 'faulty', TemplateBody, Capabilities: ['CAPABILITY_IAM'] }),
  );

  expect((await settled('faulty')).StackStatus).toBe('ROLLBACK_COMPLETE');
});
