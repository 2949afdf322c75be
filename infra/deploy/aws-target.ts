import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { createHash } from 'node:crypto';
import { DeploymentError } from './deployment-error';
import { describeStack, nextStep, type StackTarget, type UploadedTemplate } from './stack-state';
import { STACKS, type StackName } from './stacks';

/** One AWS account and region, as whoever calls. */
export interface AwsTarget {
  readonly account: string;
  readonly caller: string;
  readonly s3: S3Client;
  /** Where a stack of that name is deployed to, and as which role. */
  targetOf(stack: StackName): StackTarget;
  close(): void;
}

const POLL_MS = 2_000;
const STEP_MS = 60 * 60_000; // a database cluster takes a quarter of it

/**
 * The account that the SDK's own chain of credentials leads to: a profile, single sign-on, or the role of a CI job. Where the deployment
 * stack is, CloudFormation works as its service role, and its bucket takes what is too long for a request.
 * @throws DeploymentError for the account's root user: its keys cannot be narrowed and should not exist
 * @param pollMs - for tests
 */
export async function openAwsTarget(region: string, pollMs: number = POLL_MS): Promise<AwsTarget> {
  const cloudformation = new CloudFormationClient({ region });
  const sts = new STSClient({ region });
  const s3 = new S3Client({ region, ...(process.env['AWS_ENDPOINT_URL'] === undefined ? {} : { forcePathStyle: true }) });
  const close = () => [cloudformation, sts, s3].forEach((client) => client.destroy());
  try {
    const { Account: account = '', Arn: caller = '' } = await sts.send(new GetCallerIdentityCommand({}));
    if (caller.endsWith(':root')) {
      throw new DeploymentError(
        `Nothing was changed: these are credentials of account ${account}'s root user, which no policy narrows. Sign in with a role instead (\`aws sso login\`), and delete the root user's keys`,
      );
    }
    const outputs = await deploymentOutputs(cloudformation);
    const { TemplateBucket: bucket, CloudFormationRoleArn: roleArn } = outputs;
    const target: StackTarget = {
      cloudformation,
      pollMs,
      timeoutMs: STEP_MS,
      ...(bucket === undefined ? {} : { upload: (body: string) => uploadTemplate(s3, region, bucket, body) }),
    };
    // The role may not change itself.
    const targetOf = (stack: StackName) => (stack === STACKS.deployment || roleArn === undefined ? target : { ...target, roleArn });
    return { account, caller, s3, targetOf, close };
  } catch (error) {
    close();
    throw error;
  }
}

async function deploymentOutputs(cloudformation: CloudFormationClient): Promise<Readonly<Record<string, string | undefined>>> {
  const stack = await describeStack(cloudformation, STACKS.deployment);
  if (nextStep(stack) !== 'update') return {};
  return Object.fromEntries((stack?.Outputs ?? []).map(({ OutputKey = '', OutputValue }) => [OutputKey, OutputValue]));
}

/** By its content: the same template again is the same object. The bucket's lifecycle takes it away. */
async function uploadTemplate(s3: S3Client, region: string, bucket: string, body: string): Promise<UploadedTemplate> {
  const key = `templates/${createHash('sha256').update(body).digest('hex')}.json`;
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: 'application/json' }));
  const endpoint = process.env['AWS_ENDPOINT_URL'] ?? `https://s3.${region}.amazonaws.com`;
  return { url: `${endpoint}/${bucket}/${key}` };
}
