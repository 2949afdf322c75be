import type { S3Client } from '@aws-sdk/client-s3';
import { STACK_OUTPUTS, type StackOutput, type StackVariable } from '../../domain/stack-outputs';
import type { DeployedStack } from './deployment';
import { DeploymentError } from './deployment-error';
import { uploadJobCode } from './job-code';

/**
 * Uploads the job code to the deployed data stack. Idempotent by the code's content.
 * @returns the stack's outputs under the names of the environment that the worker and the CLI read, and MERIDIAN_JOBS_URI
 * @throws DeploymentError with every output that is missing
 */
export async function dataVariables(
  s3: S3Client,
  { outputs }: DeployedStack,
): Promise<Record<StackVariable | 'MERIDIAN_JOBS_URI', string>> {
  const missing = (Object.keys(STACK_OUTPUTS) as StackOutput[]).filter((key) => !outputs[key]);
  if (missing.length > 0) {
    throw new DeploymentError(`The stack has no output ${missing.join(', ')}: its template and domain/stack-outputs.ts differ`);
  }
  const variables = Object.fromEntries(Object.entries(STACK_OUTPUTS).map(([key, variable]) => [variable, outputs[key] ?? ''])) as Record<
    StackVariable,
    string
  >;
  return { ...variables, MERIDIAN_JOBS_URI: await uploadJobCode(s3, variables.MERIDIAN_ARTIFACTS_BUCKET) };
}
