import type { StackEvent } from '@aws-sdk/client-cloudformation';
import { discardChangeSet } from './change-set';
import { type DeployedStack, executePlan } from './deployment';
import { type DeploymentPlan, type DeployRequest, planDeployment } from './plan';
import type { StackTarget } from './stack-state';

/** What a deployment tells and asks on its way. */
export interface DeploymentHooks {
  note(message: string): void;
  /** Shown the plan before anything is done; false: nothing is. */
  confirm(plan: DeploymentPlan): Promise<boolean>;
  onEvent(event: StackEvent): void;
}

/** For a deployment that nobody is asked about. */
export const UNASKED: DeploymentHooks = { note: () => undefined, confirm: () => Promise.resolve(true), onEvent: () => undefined };

/**
 * Brings a stack to its template and parameters: the one way to deploy, for every target. Idempotent by both: the same again changes
 * nothing, and then nobody is asked.
 * @returns undefined when the plan was not confirmed; then it is taken back
 */
export async function deployStack(target: StackTarget, request: DeployRequest, hooks: DeploymentHooks): Promise<DeployedStack | undefined> {
  const plan = await planDeployment(target, request, hooks.note);
  let confirmed = false;
  try {
    confirmed = await hooks.confirm(plan);
  } finally {
    if (!confirmed && plan.changeSet !== undefined) await discardChangeSet(target, plan.changeSet);
  }
  return confirmed ? await executePlan(target, plan, hooks.onEvent) : undefined;
}
