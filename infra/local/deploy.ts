import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, DeleteBucketCommand, DeleteObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { SNSClient } from '@aws-sdk/client-sns';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type DeploymentHooks, deployStack, UNASKED } from '../deploy/deploy-stack';
import type { DeployedStack } from '../deploy/deployment';
import { dataVariables } from '../deploy/data-variables';
import type { ParameterValues } from '../deploy/parameter-values';
import type { StackTarget, UploadedTemplate } from '../deploy/stack-state';
import { STACKS, type StackName } from '../deploy/stacks';
import { synthesise, templateOf } from '../deploy/synthesis';
import type { Template } from '../deploy/template';
import { withLock } from './lock';
import type { Progress } from './progress';
import { StackError } from './stack-error';
import { closeGaps } from './template-gaps';

/** What a local deployment needs. */
export interface DeployLocalInput {
  /** The stack's home, where the synthesised templates are kept. */
  readonly home: string;
  /** AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the local AWS. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly progress: Progress;
}

/** One of the stacks, with what is asked and told. */
export interface DeployLocalStackInput extends DeployLocalInput {
  readonly stack: StackName;
  readonly template: Template;
  readonly parameters: ParameterValues;
  readonly hooks: DeploymentHooks;
}

/** What a local deployment made. */
export interface LocalDeployment {
  readonly stack: DeployedStack;
  /** The environment names that its outputs have for the worker and the CLI, and MERIDIAN_JOBS_URI; empty but for the data stack. */
  readonly variables: Readonly<Record<string, string>>;
}

const STEP_MS = 120_000; // the local AWS takes under a second
const POLL_MS = 50;
const LOCK_WAIT_MS = 4 * 60_000;

/** The local AWS as a deployment's target; with `s3` it takes templates of any length, as AWS does from a bucket. */
export function localTarget(cloudformation: CloudFormationClient, s3?: S3Client): StackTarget {
  return {
    cloudformation,
    pollMs: POLL_MS,
    timeoutMs: STEP_MS,
    ...(s3 === undefined ? {} : { upload: (body: string) => uploadTemplate(s3, body) }),
  };
}

/** In a bucket that is there for as long as it is read. */
async function uploadTemplate(s3: S3Client, body: string): Promise<UploadedTemplate> {
  const bucket = { Bucket: `meridian-template-${randomUUID()}` };
  const object = { ...bucket, Key: 'template.json' };
  await s3.send(new CreateBucketCommand(bucket));
  await s3.send(new PutObjectCommand({ ...object, Body: body }));
  const discard = async () => {
    await s3.send(new DeleteObjectCommand(object));
    await s3.send(new DeleteBucketCommand(bucket));
  };
  // Of its URL the emulator reads the path alone.
  return { url: `https://s3.amazonaws.com/${bucket.Bucket}/${object.Key}`, discard };
}

/**
 * Deploys the data stack of `infra/aws` and the job code to the local AWS, asking nobody. Idempotent by their contents: again, it
 * changes nothing and takes a second.
 * @returns the environment names that the stack's outputs have for the worker and the CLI, MERIDIAN_WORKER_ROLE_ARN and MERIDIAN_JOBS_URI
 * @throws StackError when a connection setting is missing
 * @throws DeploymentError with CloudFormation's reason
 */
export async function deployLocal(input: DeployLocalInput): Promise<Record<string, string>> {
  const hooks = { ...UNASKED, note: input.progress.note };
  const template = templateOf(await synthesise(input.home, input.progress.note), STACKS.data);
  const deployed = await deployLocalStack({ ...input, stack: STACKS.data, template, parameters: {}, hooks });
  return { ...deployed?.variables };
}

/**
 * Deploys one stack to the local AWS, applies what that drops from templates, and uploads the job code with the data stack. Of two at
 * once, one waits.
 * @returns undefined when the plan was not confirmed
 */
export async function deployLocalStack({
  home,
  env,
  progress,
  stack: name,
  template,
  parameters,
  hooks,
}: DeployLocalStackInput): Promise<LocalDeployment | undefined> {
  const connection = localConnection(env);
  const clients = {
    cloudformation: new CloudFormationClient(connection),
    dynamodb: new DynamoDBClient(connection),
    s3: new S3Client({ ...connection, forcePathStyle: true }),
    sns: new SNSClient(connection),
  };
  const onWait = ({ pid }: { readonly pid: number }) => progress.note(`Process ${pid} is deploying to this stack: waiting for it`);
  try {
    return await withLock({ path: join(home, 'deployment.lock'), waitMs: LOCK_WAIT_MS, onWait }, async () => {
      const stack = await deployStack(localTarget(clients.cloudformation, clients.s3), { stack: name, template, parameters }, hooks);
      if (stack === undefined) return undefined;
      const closed = await closeGaps(clients, template, stack);
      const variables = name === STACKS.data ? await localVariables(clients.s3, stack) : {};
      progress.note(
        stack.change === 'none' && closed === 0
          ? 'Infrastructure is as the template says'
          : `Infrastructure ${stack.change === 'none' ? 'mended' : stack.change}: ${Object.keys(stack.resources).length} resources`,
      );
      return { stack, variables };
    });
  } finally {
    for (const client of Object.values(clients)) client.destroy();
  }
}

/** Locally a worker takes its role by itself; on AWS its task has it. */
async function localVariables(s3: S3Client, stack: DeployedStack): Promise<Record<string, string>> {
  return { ...(await dataVariables(s3, stack)), MERIDIAN_WORKER_ROLE_ARN: stack.outputs['WorkerRoleArn'] ?? '' };
}

/** For SDK clients of the local AWS. @throws StackError with every setting that is missing */
export function localConnection(env: DeployLocalInput['env']) {
  const names = ['AWS_ENDPOINT_URL', 'AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;
  const missing = names.filter((name) => !env[name]);
  if (missing.length > 0) {
    throw new StackError(`Cannot deploy to the local AWS without ${missing.join(', ')}: start the stack with "meridian up"`);
  }
  const [endpoint, region, accessKeyId, secretAccessKey] = names.map((name) => env[name] ?? '');
  return {
    endpoint: endpoint ?? '',
    region: region ?? '',
    credentials: { accessKeyId: accessKeyId ?? '', secretAccessKey: secretAccessKey ?? '' },
  };
}
