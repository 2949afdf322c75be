import { type Template } from 'aws-cdk-lib/assertions';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { DeploymentStack } from '../../infra/aws/deployment-stack';
import { meridianApp } from '../../infra/aws/meridian-app';
import { TEMPLATE_BODY_LIMIT } from '../../infra/deploy/change-set';
import { parameterFaults } from '../../infra/deploy/parameter-faults';
import { STACKS } from '../../infra/deploy/stacks';
import type { Template as Deployable } from '../../infra/deploy/template';
import { synthesised, synthesisedTemplates } from '../support/synthesised';

interface Statement {
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

const template: Template = synthesised((app) => new DeploymentStack(app, 'MeridianDeployment'));
const deployable = template.toJSON() as Deployable;
const templates = synthesisedTemplates(meridianApp);
const list = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? (value as readonly T[]) : [value as T]);
const only = (type: string, prefix = '') => {
  const [[, resource] = ['', {}], ...others] = Object.entries(template.findResources(type)).filter(([id]) => id.startsWith(prefix));
  expect(others).toEqual([]);
  return (resource as { readonly Properties: Readonly<Record<string, unknown>> }).Properties;
};
const statementsOf = (properties: Readonly<Record<string, unknown>>) =>
  (properties['PolicyDocument'] as { readonly Statement: readonly Statement[] }).Statement;
const granted = Object.values(template.findResources('AWS::IAM::ManagedPolicy')).flatMap((policy) =>
  statementsOf((policy as { Properties: Record<string, unknown> }).Properties),
);

describe('S2.26 what deploys from GitHub has no key that anybody keeps', () => {
  test('its role is for one repository, and there for one environment or branch, by a token made for AWS', () => {
    const { AssumeRolePolicyDocument: trust } = only('AWS::IAM::Role', 'Deployer') as {
      AssumeRolePolicyDocument: { Statement: readonly Statement[] };
    };

    expect(trust.Statement).toHaveLength(1);
    expect(trust.Statement[0]).toMatchObject({ Effect: 'Allow', Action: 'sts:AssumeRoleWithWebIdentity' });
    const { StringEquals, ...others } = trust.Statement[0]?.Condition ?? {};
    expect(others).toEqual({});
    expect(StringEquals?.['token.actions.githubusercontent.com:aud']).toBe('sts.amazonaws.com');
    const subject = StringEquals?.['token.actions.githubusercontent.com:sub'];
    expect(spoken(subject, { GitHubRepository: 'owner/name', GitHubEnvironment: 'production', HasEnvironment: true })).toBe(
      'repo:owner/name:environment:production',
    );
    expect(spoken(subject, { GitHubRepository: 'owner/name', GitHubBranch: 'main', HasEnvironment: false })).toBe(
      'repo:owner/name:ref:refs/heads/main',
    );
    expect(JSON.stringify(template.toJSON())).not.toMatch(/AWS::IAM::(User|AccessKey)/);
  });

  test('the environment that it names is the one of the workflow that deploys', () => {
    const workflow = parse(readFileSync(join(__dirname, '../../.github/workflows/deploy.yml'), 'utf8')) as {
      jobs: { deploy: { environment: string } };
    };

    expect(deployable.Parameters?.['GitHubEnvironment']?.Default).toBe(workflow.jobs.deploy.environment);
  });

  test('it plans and starts deployments of our stacks as the role of CloudFormation, and does nothing else', () => {
    const statements = statementsOf(only('AWS::IAM::Policy', 'Deployer'));
    const actions = statements.flatMap(({ Action }) => list(Action)).sort();

    expect(actions.filter((action) => !action.startsWith('cloudformation:'))).toEqual([
      'iam:PassRole',
      'kms:GenerateDataKey',
      's3:GetObject',
      's3:PutObject',
      's3:PutObject',
    ]);
    expect(actions.filter((action) => /:(Delete|Update|Create)/.test(action))).toEqual([
      'cloudformation:CreateChangeSet',
      'cloudformation:DeleteChangeSet',
    ]);
    const role = { 'Fn::GetAtt': [expect.stringMatching(/^CloudFormationRole/), 'Arn'] as unknown[] };
    expect(statements.find(({ Action }) => Action === 'cloudformation:CreateChangeSet')?.Condition).toEqual({
      StringEquals: { 'cloudformation:RoleArn': role },
    });
    const pass = statements.find(({ Action }) => Action === 'iam:PassRole');
    expect([pass?.Resource, pass?.Condition]).toEqual([role, { StringEquals: { 'iam:PassedToService': 'cloudformation.amazonaws.com' } }]);
  });

  test('S2.23 it uploads job code to a bucket under a customer key, and gets a data key for nothing else', () => {
    const asked = statementsOf(only('AWS::IAM::Policy', 'Deployer')).filter(({ Action }) => list(Action).some((action) => action.startsWith('kms:')));

    expect(asked.map(({ Action }) => Action)).toEqual(['kms:GenerateDataKey']);
    const { StringEquals, StringLike, ...others } = asked[0]?.Condition ?? {};
    expect(others).toEqual({});
    expect(spoken(StringEquals?.['kms:ViaService'], { 'AWS::Region': 'eu-central-1' })).toBe('s3.eu-central-1.amazonaws.com');
    expect(spoken(StringLike?.['kms:EncryptionContext:aws:s3:arn'], { 'AWS::Partition': 'aws' })).toBe('arn:aws:s3:::meridian-lakeartifacts*');
  });

  test('faults of its parameters are named before anything is made; an account has one provider of an issuer', () => {
    expect(parameterFaults(deployable, { GitHubRepository: 'owner', GitHubProviderArn: 'arn' }, {})).toEqual([
      'Parameter GitHubRepository: expected owner/name, found "owner": say --parameter GitHubRepository=<value>',
      expect.stringMatching(/^Parameter GitHubProviderArn: expected the ARN of an OIDC provider/),
    ]);
    expect(parameterFaults(deployable, { GitHubRepository: 'owner/name' }, {})).toEqual([]);
    template.hasResource('AWS::IAM::OIDCProvider', {
      Condition: 'MakesProvider',
      Properties: { ClientIdList: ['sts.amazonaws.com'], Url: 'https://token.actions.githubusercontent.com' },
    });
  });
});

describe('S2.21 what CloudFormation works as', () => {
  test('only CloudFormation takes it, and it cannot touch what deploys', () => {
    const { AssumeRolePolicyDocument: trust } = only('AWS::IAM::Role', 'CloudFormation') as {
      AssumeRolePolicyDocument: { Statement: readonly unknown[] };
    };

    expect(trust.Statement).toEqual([
      { Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'cloudformation.amazonaws.com' } },
    ]);
    const ofRoles = granted.filter(({ Action }) => list(Action).some((action) => action.startsWith('iam:')));
    for (const { Resource } of ofRoles) {
      for (const resource of list(Resource))
        expect(spoken(resource, {})).toMatch(/:role\/(Meridian|MeridianRuntime|MeridianMonitoring)-\*$|:role\/aws-service-role\//);
    }
    expect(
      ofRoles.flatMap(({ Action }) => list(Action)).filter((action) => /Attach|User|AccessKey|Group|CreatePolicy/.test(action)),
    ).toEqual(['iam:ListAttachedRolePolicies']);
  });

  test('no action is a wildcard, and none reads or writes an object, an item, a message or a secret', () => {
    const actions = granted.flatMap(({ Action }) => list(Action));

    expect(actions.length).toBeGreaterThan(100);
    expect(actions.filter((action) => action.includes('*'))).toEqual([]);
    expect(
      actions.filter((action) =>
        /^(s3:(Get|Put|Delete)Object|dynamodb:(GetItem|PutItem|Query|Scan|UpdateItem|DeleteItem|Batch)|sqs:(Send|Receive|Purge)|sns:Publish|secretsmanager:GetSecretValue|kms:(Decrypt|Encrypt|GenerateDataKey)|logs:(Get|Filter)|sts:)/.test(
          action,
        ),
      ),
    ).toEqual([]);
  });

  test('a resource is "*" only in the services whose actions know none', () => {
    const wide = granted.filter(({ Resource }) => list(Resource).includes('*')).map(({ Action }) => list(Action)[0]?.split(':')[0]);

    expect(wide.sort()).toEqual(['application-autoscaling', 'ec2', 'ecs', 'kms', 'logs']);
  });

  test('every service of our templates is one that it may deploy to, and no other is', () => {
    const services: Readonly<Record<string, string>> = {
      ApplicationAutoScaling: 'application-autoscaling',
      Budgets: 'budgets',
      CloudWatch: 'cloudwatch',
      DynamoDB: 'dynamodb',
      EC2: 'ec2',
      ECR: 'ecr',
      ECS: 'ecs',
      EMRServerless: 'emr-serverless',
      Events: 'events',
      Glue: 'glue',
      IAM: 'iam',
      KMS: 'kms',
      Logs: 'logs',
      RDS: 'rds',
      S3: 's3',
      SNS: 'sns',
      SQS: 'sqs',
    };
    const used = Object.entries(templates)
      .filter(([name]) => name !== STACKS.deployment)
      .flatMap(([, { Resources }]) => Object.values(Resources).map(({ Type }) => Type.split('::')[1] ?? ''));

    const allowed = new Set(granted.flatMap(({ Action }) => list(Action)).map((action) => action.split(':')[0]));

    expect([...new Set(used)].filter((service) => !allowed.has(services[service]))).toEqual([]);
    // RDS keeps the password of its own cluster there; an event rule comes with a pipeline that runs on objects.
    const needed = new Set([...used.map((service) => services[service]), 'secretsmanager', 'events']);
    expect([...allowed].filter((service) => !needed.has(service))).toEqual([]);
  });

  test('each policy is within the 6,144 characters of a managed one', () => {
    for (const policy of Object.values(template.findResources('AWS::IAM::ManagedPolicy'))) {
      expect(JSON.stringify((policy as { Properties: Record<string, unknown> }).Properties['PolicyDocument']).length).toBeLessThan(6_144);
    }
  });
});

describe('S2.25 the templates', () => {
  test('are what every stack word stands for, and the deployment stack fits a request, since it makes the bucket for longer ones', () => {
    expect(Object.keys(templates).sort()).toEqual(Object.values(STACKS).sort());
    expect(JSON.stringify(templates['MeridianDeployment']).length).toBeLessThanOrEqual(TEMPLATE_BODY_LIMIT);
  });

  test('are far below what CloudFormation takes from a bucket: 1 MB, 500 resources, 200 parameters and outputs', () => {
    for (const { Resources, Parameters = {}, Outputs = {}, ...rest } of Object.values(templates)) {
      expect(JSON.stringify({ Resources, Parameters, Outputs, ...rest }).length).toBeLessThan(500_000);
      expect(Object.keys(Resources).length).toBeLessThan(400);
      expect(Math.max(Object.keys(Parameters).length, Object.keys(Outputs).length)).toBeLessThan(150);
    }
  });
});

/** A value of the template with its references put in; of an unknown one its name stays. */
function spoken(value: unknown, values: Readonly<Record<string, string | boolean>>): string {
  if (typeof value === 'string') return value;
  const [[name, argument] = ['', undefined]] = Object.entries(value as Readonly<Record<string, unknown>>);
  if (name === 'Ref') return String(values[String(argument)] ?? argument);
  if (name === 'Fn::Join') return ((argument as [string, unknown[]])[1] ?? []).map((part) => spoken(part, values)).join('');
  if (name === 'Fn::If') return spoken((argument as unknown[])[values[String((argument as unknown[])[0])] === true ? 1 : 2], values);
  return JSON.stringify(value);
}
