import { ExecuteChangeSetCommand, paginateListStackResources, type Stack, type StackEvent } from '@aws-sdk/client-cloudformation';
import { DeploymentError } from './deployment-error';
import type { DeploymentPlan } from './plan';
import { firstFailure, followStack, knownEvents } from './stack-events';
import { settledStack, type StackTarget } from './stack-state';

/** A deployed stack. */
export interface DeployedStack {
  readonly change: 'created' | 'updated' | 'none';
  readonly outputs: Readonly<Record<string, string>>;
  /** Logical → physical id. */
  readonly resources: Readonly<Record<string, string>>;
  /** What it was deployed with, defaults included. */
  readonly parameters: Readonly<Record<string, string>>;
}

/**
 * Does what the plan says and follows it to its end. CloudFormation rolls a failure back, deleting what it had newly created.
 * @throws DeploymentError that names the resource that failed first with its reason, the state the stack is in, and the next step
 */
export async function executePlan(
  target: StackTarget,
  plan: Pick<DeploymentPlan, 'stack' | 'kind' | 'changeSet'>,
  onEvent: (event: StackEvent) => void,
): Promise<DeployedStack> {
  const { stack: name, changeSet } = plan;
  if (changeSet === undefined) return await deployedStack(target, name, await settledStack(target, name), 'none');

  const known = await knownEvents(target, changeSet.stackId);
  try {
    // New resources hold nothing yet: a failed creation leaves none of them, not even those that are kept otherwise.
    await target.cloudformation.send(new ExecuteChangeSetCommand({ ChangeSetName: changeSet.id, RetainExceptOnCreate: true }));
  } catch (error) {
    if (
      !(error instanceof Error) ||
      !['ChangeSetNotFound', 'ChangeSetNotFoundException', 'InvalidChangeSetStatus', 'InvalidChangeSetStatusException'].includes(error.name)
    )
      throw error;
    throw new DeploymentError(
      `Nothing was changed: stack ${name} has been changed since this was planned. Run the same command again for a plan of now`,
      { cause: error },
    );
  }
  const ended = await followStack(target, changeSet.stackId, known, onEvent);
  const { StackStatus } = ended.stack;
  if (StackStatus !== 'CREATE_COMPLETE' && StackStatus !== 'UPDATE_COMPLETE') {
    throw new DeploymentError(
      `CloudFormation stack ${name} ended in ${StackStatus}: ${firstFailure(ended)}. ${aftermath(name, StackStatus)}`,
    );
  }
  return await deployedStack(target, name, ended.stack, plan.kind === 'create' ? 'created' : 'updated');
}

/** What is there now, and what to do. */
function aftermath(name: string, status: Stack['StackStatus']): string {
  switch (status) {
    case 'UPDATE_ROLLBACK_COMPLETE':
      return 'The stack is as it was before: correct the cause and deploy again';
    case 'ROLLBACK_COMPLETE':
      return 'What had been created is deleted again: correct the cause and deploy again';
    case 'UPDATE_ROLLBACK_FAILED':
      return `Taking it back failed too: remove the cause, then \`aws cloudformation continue-update-rollback --stack-name ${name}\``;
    default:
      return `See \`aws cloudformation describe-stack-events --stack-name ${name}\`, correct the cause and deploy again`;
  }
}

async function deployedStack(
  target: StackTarget,
  name: string,
  stack: Stack | undefined,
  change: DeployedStack['change'],
): Promise<DeployedStack> {
  return {
    change,
    outputs: Object.fromEntries((stack?.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue])),
    resources: await physicalIds(target, name),
    parameters: Object.fromEntries((stack?.Parameters ?? []).map(({ ParameterKey = '', ParameterValue = '' }) => [ParameterKey, ParameterValue])),
  };
}

/** Every resource of the stack, logical → physical id. */
export async function physicalIds({ cloudformation }: StackTarget, stack: string): Promise<Record<string, string>> {
  const ids: Record<string, string> = {};
  for await (const page of paginateListStackResources({ client: cloudformation }, { StackName: stack })) {
    for (const { LogicalResourceId, PhysicalResourceId } of page.StackResourceSummaries ?? []) {
      if (LogicalResourceId !== undefined && PhysicalResourceId !== undefined) ids[LogicalResourceId] = PhysicalResourceId;
    }
  }
  return ids;
}
