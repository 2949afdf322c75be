import { DeleteStackCommand, paginateListStackResources, type Stack, type StackEvent } from '@aws-sdk/client-cloudformation';
import type { S3Client } from '@aws-sdk/client-s3';
import { createChangeSet } from './change-set';
import { givenUp, holdsData, isRetained } from './data-resources';
import { executePlan } from './deployment';
import { DeploymentError } from './deployment-error';
import { emptyBucket } from './empty-bucket';
import { deployedTemplate } from './plan';
import { firstFailure, followStack, knownEvents } from './stack-events';
import { nextStep, settledStack, type StackTarget } from './stack-state';
import type { Template } from './template';

/** What becomes of a resource when its stack is deleted. */
export interface DoomedResource {
  readonly logicalId: string;
  readonly type: string;
  readonly physicalId: string;
  readonly fate: 'delete' | 'leave';
  readonly holdsData: boolean;
}

/** What a deletion would do. */
export interface DeletionPlan {
  readonly stack: string;
  readonly stackId: string;
  readonly resources: readonly DoomedResource[];
  /** What the stack becomes first, so that it takes its data with it; absent when nothing more than now goes. */
  readonly givingUp?: { readonly template: Template; readonly parameters: readonly string[] };
}

/** What a deletion tells and asks on its way. */
export interface DeletionHooks {
  confirm(plan: DeletionPlan): Promise<boolean>;
  onEvent(event: StackEvent): void;
  onEmptied(bucket: string, objects: number): void;
}

/**
 * Deletes a stack. Buckets, tables and whatever else the template keeps stay, unless `deleteData`: then they are emptied and go with it.
 * Safe to run twice: what an interrupted deletion left is finished by the next one.
 * @returns what was done, or undefined where there is no such stack or it was not confirmed
 * @throws DeploymentError that names the resource that could not be deleted, its reason, and the next step
 */
export async function destroyStack(
  target: StackTarget,
  s3: S3Client,
  request: { readonly stack: string; readonly deleteData: boolean },
  hooks: DeletionHooks,
): Promise<DeletionPlan | undefined> {
  const stack = await settledStack(target, request.stack);
  if (stack?.StackId === undefined) return undefined;
  const plan = await planDeletion(target, stack, stack.StackId, request.deleteData);
  if (!(await hooks.confirm(plan))) return undefined;
  await giveUpData(target, plan, hooks);
  for (const { type, fate, physicalId } of plan.resources) {
    if (type === 'AWS::S3::Bucket' && fate === 'delete')
      await emptyBucket(s3, physicalId, (objects) => hooks.onEmptied(physicalId, objects));
  }
  const known = await knownEvents(target, plan.stackId);
  await target.cloudformation.send(
    new DeleteStackCommand({ StackName: plan.stackId, ...(target.roleArn === undefined ? {} : { RoleARN: target.roleArn }) }),
  );
  const ended = await followStack(target, plan.stackId, known, hooks.onEvent);
  if (ended.stack.StackStatus !== 'DELETE_COMPLETE') {
    throw new DeploymentError(
      `CloudFormation stack ${plan.stack} ended in ${ended.stack.StackStatus}: ${firstFailure(ended)}. What could be deleted is; remove the cause (a worker that still writes?) and destroy again`,
    );
  }
  return plan;
}

async function planDeletion(target: StackTarget, stack: Stack, stackId: string, deleteData: boolean): Promise<DeletionPlan> {
  const name = stack.StackName ?? '';
  const template = await deployedTemplate(target, stackId);
  const resources: DoomedResource[] = [];
  for await (const page of paginateListStackResources({ client: target.cloudformation }, { StackName: stackId })) {
    for (const {
      LogicalResourceId: logicalId = '',
      ResourceType: type = '',
      PhysicalResourceId: physicalId = '',
    } of page.StackResourceSummaries ?? []) {
      const stays = !deleteData && isRetained(template.Resources[logicalId] ?? { Type: type });
      resources.push({ logicalId, type, physicalId, fate: stays ? 'leave' : 'delete', holdsData: holdsData(type) });
    }
  }
  const kept = Object.values(template.Resources).some(isRetained);
  // A stack whose creation or deletion failed takes no update; it has given up what it could.
  const takesUpdate = nextStep(stack) === 'update';
  const parameters = (stack.Parameters ?? []).map(({ ParameterKey = '' }) => ParameterKey);
  return {
    stack: name,
    stackId,
    resources,
    ...(deleteData && kept && takesUpdate ? { givingUp: { template: givenUp(template), parameters } } : {}),
  };
}

async function giveUpData(target: StackTarget, { stack, givingUp }: DeletionPlan, { onEvent }: DeletionHooks): Promise<void> {
  if (givingUp === undefined) return;
  const changeSet = await createChangeSet(target, {
    stack,
    type: 'UPDATE',
    template: givingUp.template,
    parameters: givingUp.parameters.map((ParameterKey) => ({ ParameterKey, UsePreviousValue: true })),
  });
  if (changeSet !== undefined) await executePlan(target, { stack, kind: 'update', changeSet }, onEvent);
}
