import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { STACK_OUTPUTS, type StackOutput } from '../../domain/stack-outputs';
import { uploadJobCode } from '../deploy/job-code';
import { synthesise } from '../deploy/synthesis';
import { STACKS } from '../deploy/stacks';
import { deployStack } from './deploy-stack';
import type { Progress } from './progress';
import { StackError } from './stack-error';
import { closeGaps } from './template-gaps';

/** What a local deployment needs. */
export interface DeployLocalInput {
  /** The stack's home, where the synthesised template is kept. */
  readonly home: string;
  /** AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the local AWS. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly progress: Progress;
}

/**
 * Deploys the template of `infra/aws` and the job code to the local AWS. Idempotent by their contents: again, it changes nothing
 * and takes a second.
 * @returns the environment names that the stack's outputs have for the worker and the CLI, and MERIDIAN_JOBS_URI
 * @throws StackError when a connection setting is missing, or with CloudFormation's reason
 */
export async function deployLocal({ home, env, progress }: DeployLocalInput): Promise<Record<string, string>> {
  const connection = connectionOf(env);
  const clients = {
    cloudformation: new CloudFormationClient(connection),
    dynamodb: new DynamoDBClient(connection),
    s3: new S3Client(connection),
  };
  try {
    const { [STACKS.data]: template } = await synthesise(home, progress.note);
    if (template === undefined) throw new StackError(`infra/aws/app.ts makes no stack ${STACKS.data}`);
    const stack = await deployStack(clients.cloudformation, template);
    const closed = await closeGaps(clients, template, stack.resources);
    const variables = environmentOf(stack.outputs);
    const jobsUri = await uploadJobCode(clients.s3, variables['MERIDIAN_ARTIFACTS_BUCKET'] ?? '');
    progress.note(
      stack.change === 'none' && closed === 0
        ? 'Infrastructure is as the template says'
        : `Infrastructure ${stack.change === 'none' ? 'mended' : stack.change}: ${Object.keys(stack.resources).length} resources`,
    );
    return { ...variables, MERIDIAN_JOBS_URI: jobsUri };
  } finally {
    for (const client of Object.values(clients)) client.destroy();
  }
}

function connectionOf(env: DeployLocalInput['env']) {
  const names = ['AWS_ENDPOINT_URL', 'AWS_REGION', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;
  const missing = names.filter((name) => !env[name]);
  if (missing.length > 0) {
    throw new StackError(
      `Cannot deploy to the local AWS without ${missing.join(', ')}: start the stack with "meridian up"`,
    );
  }
  const [endpoint, region, accessKeyId, secretAccessKey] = names.map((name) => env[name] ?? '');
  return {
    endpoint: endpoint ?? '',
    region: region ?? '',
    credentials: { accessKeyId: accessKeyId ?? '', secretAccessKey: secretAccessKey ?? '' },
  };
}

function environmentOf(outputs: Readonly<Record<string, string>>): Record<string, string> {
  const missing = (Object.keys(STACK_OUTPUTS) as StackOutput[]).filter((key) => !outputs[key]);
  if (missing.length > 0)
    throw new StackError(
      `The stack has no output ${missing.join(', ')}: its template and domain/stack-outputs.ts differ`,
    );
  return Object.fromEntries(Object.entries(STACK_OUTPUTS).map(([key, variable]) => [variable, outputs[key] ?? '']));
}
