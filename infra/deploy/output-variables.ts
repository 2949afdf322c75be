import { STACK_OUTPUTS, type StackOutput, type StackVariable } from '../../domain/stack-outputs';
import { DeploymentError } from './deployment-error';

/** The stack's outputs under the names of the environment that the worker and the CLI read. @throws DeploymentError when one is missing */
export function outputVariables(outputs: Readonly<Record<string, string>>): Record<StackVariable, string> {
  const missing = (Object.keys(STACK_OUTPUTS) as StackOutput[]).filter((key) => !outputs[key]);
  if (missing.length > 0) {
    throw new DeploymentError(`The stack has no output ${missing.join(', ')}: its template and domain/stack-outputs.ts differ`);
  }
  return Object.fromEntries(Object.entries(STACK_OUTPUTS).map(([key, variable]) => [variable, outputs[key] ?? ''])) as Record<
    StackVariable,
    string
  >;
}
