import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { join } from 'node:path';
import { type DeploymentHooks, deployStack, UNASKED } from '../deploy/deploy-stack';
import { uploadJobCode } from '../deploy/job-code';
import { outputVariables } from '../deploy/output-variables';
import type { ParameterValues } from '../deploy/parameter-values';
import type { StackTarget } from '../deploy/stack-state';
import { STACKS } from '../deploy/stacks';
import { synthesise, templateOf } from '../deploy/synthesis';
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
  readonly parameters?: ParameterValues;
  /** Absent: nobody is asked. */
  readonly hooks?: DeploymentHooks;
}

const STEP_MS = 120_000; // the local AWS takes under a second
const POLL_MS = 50;
const LOCK_WAIT_MS = 4 * 60_000;

/** The local AWS as a deployment's target. */
export function localTarget(cloudformation: CloudFormationClient): StackTarget {
  return { cloudformation, pollMs: POLL_MS, timeoutMs: STEP_MS };
}

/**
 * Deploys the template of `infra/aws` and the job code to the local AWS. Idempotent by their contents: again, it changes nothing
 * and takes a second. Of two at once, one waits.
 * @returns the environment names that the stack's outputs have for the worker and the CLI, MERIDIAN_WORKER_ROLE_ARN and
 *   MERIDIAN_JOBS_URI; undefined when the plan was not confirmed
 * @throws StackError when a connection setting is missing
 * @throws DeploymentError with CloudFormation's reason
 */
export async function deployLocal({
  home,
  env,
  progress,
  parameters = {},
  hooks,
}: DeployLocalInput): Promise<Record<string, string> | undefined> {
  const connection = localConnection(env);
  const clients = {
    cloudformation: new CloudFormationClient(connection),
    dynamodb: new DynamoDBClient(connection),
    s3: new S3Client(connection),
  };
  const onWait = ({ pid }: { readonly pid: number }) => progress.note(`Process ${pid} is deploying to this stack: waiting for it`);
  try {
    return await withLock({ path: join(home, 'deployment.lock'), waitMs: LOCK_WAIT_MS, onWait }, async () => {
      const template = templateOf(await synthesise(home, progress.note), STACKS.data);
      const target = localTarget(clients.cloudformation);
      const stack = await deployStack(target, { stack: STACKS.data, template, parameters }, hooks ?? { ...UNASKED, note: progress.note });
      if (stack === undefined) return undefined;
      const closed = await closeGaps(clients, template, stack.resources);
      const variables = outputVariables(stack.outputs);
      const jobsUri = await uploadJobCode(clients.s3, variables.MERIDIAN_ARTIFACTS_BUCKET);
      progress.note(
        stack.change === 'none' && closed === 0
          ? 'Infrastructure is as the template says'
          : `Infrastructure ${stack.change === 'none' ? 'mended' : stack.change}: ${Object.keys(stack.resources).length} resources`,
      );
      return { ...variables, MERIDIAN_WORKER_ROLE_ARN: stack.outputs['WorkerRoleArn'] ?? '', MERIDIAN_JOBS_URI: jobsUri };
    });
  } finally {
    for (const client of Object.values(clients)) client.destroy();
  }
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
