import { setTimeout as sleep } from 'node:timers/promises';
import {
  CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  paginateListStackResources,
  type Stack as DeployedStack,
} from '@aws-sdk/client-cloudformation';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Template } from 'aws-cdk-lib/assertions';
import { meridianApp } from '../../infra/aws/meridian-app';
import type { RuntimeParameter } from '../../infra/aws/runtime-parameters';
import type { LocalAws } from '../support/local-aws';
import { synthesisedTemplates } from '../support/synthesised';

const DEADLINE_MS = 60_000;
const secret = (name: string) => `arn:aws:secretsmanager:us-east-1:000000000000:secret:${name}-a1B2c3`;

export type Values = Readonly<Partial<Record<RuntimeParameter, string>>>;

/** The least that a deployment says. */
export const LEAST = {
  WorkerImageTag: '2026-11-25',
  JobsUri: 's3://artifacts/jobs/0123',
  TemporalHost: 'meridian.a1b2c.tmprl.cloud',
  TemporalNamespace: 'meridian.a1b2c',
  TemporalApiKeySecretArn: secret('temporal-key'),
  AuroraMaxAcu: '4',
} as const satisfies Values;

/** Everything the other way: another's network and PostgreSQL, certificates, payload keys. */
export const EXISTING = {
  ...LEAST,
  TemporalAuthentication: 'mtls',
  TemporalApiKeySecretArn: '',
  TemporalCertificateSecretArn: secret('temporal-certificate'),
  TemporalCaSecretArn: secret('temporal-ca'),
  TemporalPort: '443',
  PayloadKeysSecretArn: secret('payload-keys'),
  SecretsKeyArn: 'arn:aws:kms:us-east-1:000000000000:key/0a1b',
  AuroraMaxAcu: '',
  PostgresHost: 'db.example.org',
  PostgresSecretArn: secret('postgres'),
  PostgresCidr: '10.0.8.0/24',
  PostgresCa: 'system',
  VpcId: 'vpc-0123456789abcdef0',
  SubnetIds: 'subnet-0123456789abcdef0,subnet-0123456789abcdef1',
  MinWorkers: '0',
  MaxWorkers: '0',
} as const satisfies Values;

const templates = synthesisedTemplates(meridianApp);
const templateOf = (name: string) => Template.fromJSON({ ...templates[name] });
export const template = templateOf('MeridianRuntime');
export const dataTemplate = templateOf('Meridian');

/** CloudFormation of a local AWS, with the templates as AWS gets them. */
export class Stacks {
  private readonly client: CloudFormationClient;

  constructor(private readonly aws: LocalAws) {
    this.client = new CloudFormationClient(aws.clientConfig);
  }

  /** @returns outputs of the stack; throws with the first reason where it is not made */
  async create(name: string, of: Template, values: Values = {}): Promise<Readonly<Record<string, string>>> {
    await this.client.send(
      new CreateStackCommand({
        StackName: name,
        TemplateURL: await this.uploaded(name, of),
        Capabilities: ['CAPABILITY_IAM'],
        Parameters: Object.entries(values).map(([ParameterKey, ParameterValue]) => ({ ParameterKey, ParameterValue })),
      }),
    );
    const stack = await this.settled(name);
    if (stack?.StackStatus !== 'CREATE_COMPLETE') throw new Error(`${name}: ${await this.reasons(name)}`);
    return Object.fromEntries(
      (stack.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]),
    );
  }

  /** By S3, since the data stack's template is near the most that a request may hold. */
  private async uploaded(name: string, of: Template): Promise<string> {
    const s3 = new S3Client({ ...this.aws.clientConfig, forcePathStyle: true });
    await s3.send(new CreateBucketCommand({ Bucket: 'templates' }));
    await s3.send(new PutObjectCommand({ Bucket: 'templates', Key: name, Body: JSON.stringify(of.toJSON()) }));
    s3.destroy();
    return `${this.aws.endpoint}/templates/${name}`;
  }

  close(): void {
    this.client.destroy();
  }

  /** Status of the stack, once it has been deleted or the deletion was refused. */
  async delete(name: string): Promise<string> {
    await this.client.send(new DeleteStackCommand({ StackName: name }));
    return (await this.settled(name))?.StackStatus ?? 'gone';
  }

  /** Physical ids by type; more of a type are kept in the order of the template. */
  async resources(name: string): Promise<Readonly<Record<string, readonly string[]>>> {
    const found: Record<string, string[]> = {};
    for await (const { StackResourceSummaries = [] } of paginateListStackResources(
      { client: this.client },
      { StackName: name },
    )) {
      for (const { ResourceType = '', PhysicalResourceId = '' } of StackResourceSummaries)
        (found[ResourceType] ??= []).push(PhysicalResourceId);
    }
    return found;
  }

  async find(name: string): Promise<DeployedStack | undefined> {
    return this.client.send(new DescribeStacksCommand({ StackName: name })).then(
      ({ Stacks: [stack] = [] }) => stack,
      () => undefined,
    );
  }

  /** An operation of ECS or EC2, of which no client is a dependency. */
  async ecs(operation: string, input: unknown): Promise<unknown> {
    const response = await fetch(this.aws.endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': `AmazonEC2ContainerServiceV20141113.${operation}`,
        authorization:
          'AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature=none',
      },
      body: JSON.stringify(input),
    });
    return response.json();
  }

  private async settled(name: string): Promise<DeployedStack | undefined> {
    for (const deadline = Date.now() + DEADLINE_MS; ; await sleep(50)) {
      const stack = await this.find(name);
      if (stack?.StackStatus?.endsWith('_IN_PROGRESS') !== true) return stack;
      if (Date.now() > deadline) throw new Error(`${name} is still ${stack.StackStatus}`);
    }
  }

  private async reasons(name: string): Promise<string> {
    const { StackEvents = [] } = await this.client.send(new DescribeStackEventsCommand({ StackName: name }));
    return StackEvents.flatMap(({ LogicalResourceId, ResourceStatusReason, ResourceStatus }) =>
      ResourceStatus?.endsWith('FAILED') === true ? [`${LogicalResourceId}: ${ResourceStatusReason}`] : [],
    ).join('; ');
  }
}
