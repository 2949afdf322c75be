import type { DeploymentHooks } from '../../infra/deploy/deploy-stack';
import type { DeployedStack } from '../../infra/deploy/deployment';
import type { ParameterValues } from '../../infra/deploy/parameter-values';
import type { StackName } from '../../infra/deploy/stacks';
import type { Templates } from '../../infra/deploy/synthesis';
import type { Output } from '../output';

/** What is to be deployed, and who is told. */
export interface DeploymentWork {
  readonly home: string;
  readonly stacks: readonly StackName[];
  readonly templates: Templates;
  readonly given: ParameterValues;
  readonly output: Output;
  readonly hooks: DeploymentHooks;
}

/** What has become of it. */
export interface DeploymentResult {
  readonly stacks: readonly {
    readonly stack: StackName;
    readonly change: DeployedStack['change'];
    readonly outputs: DeployedStack['outputs'];
  }[];
  /** The file that workers read; absent when nothing of theirs was deployed. */
  readonly settings?: string;
  /** For a person: what to do now. */
  readonly advice: string;
}

/**
 * Those that the stack's template declares. The job code's place is known once the data stack is deployed; nobody need say it.
 * @param settings - what workers read of it
 */
export function parametersFor(
  { given, templates }: DeploymentWork,
  stack: StackName,
  settings: Readonly<Record<string, string>>,
): ParameterValues {
  const { MERIDIAN_JOBS_URI: jobsUri } = settings;
  const known = { ...(jobsUri === undefined ? {} : { JobsUri: jobsUri }), ...given };
  return Object.fromEntries(Object.entries(known).filter(([name]) => Object.hasOwn(templates[stack]?.Parameters ?? {}, name)));
}
