import { setTimeout as sleep } from 'node:timers/promises';
import {
  AlreadyExistsException,
  type CloudFormationClient,
  CreateStackCommand,
  DeleteStackCommand,
  DescribeStackEventsCommand,
  DescribeStacksCommand,
  paginateListStackResources,
  type Stack,
  type StackStatus,
  UpdateStackCommand,
} from '@aws-sdk/client-cloudformation';
import type { Template } from '../deploy/template';
import { StackError } from './stack-error';

/** A deployed stack. */
export interface DeployedStack {
  readonly change: 'created' | 'updated' | 'none';
  readonly outputs: Readonly<Record<string, string>>;
  /** Logical → physical id. */
  readonly resources: Readonly<Record<string, string>>;
}

const STACK_NAME = 'Meridian';
const TIMEOUT_MS = 120_000; // the local AWS takes under a second
const POLL_MS = 100;

/** What each state asks for next. */
const NEXT_STEP = {
  CREATE_COMPLETE: 'update',
  UPDATE_COMPLETE: 'update',
  UPDATE_ROLLBACK_COMPLETE: 'update',
  IMPORT_COMPLETE: 'update',
  IMPORT_ROLLBACK_COMPLETE: 'update',
  DELETE_COMPLETE: 'create',
  REVIEW_IN_PROGRESS: 'create',
  // A stack in these states takes no update.
  CREATE_FAILED: 'replace',
  ROLLBACK_COMPLETE: 'replace',
  ROLLBACK_FAILED: 'replace',
  DELETE_FAILED: 'replace',
  UPDATE_FAILED: 'replace',
  UPDATE_ROLLBACK_FAILED: 'replace',
  IMPORT_ROLLBACK_FAILED: 'replace',
  CREATE_IN_PROGRESS: 'wait',
  DELETE_IN_PROGRESS: 'wait',
  IMPORT_IN_PROGRESS: 'wait',
  IMPORT_ROLLBACK_IN_PROGRESS: 'wait',
  ROLLBACK_IN_PROGRESS: 'wait',
  UPDATE_COMPLETE_CLEANUP_IN_PROGRESS: 'wait',
  UPDATE_IN_PROGRESS: 'wait',
  UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS: 'wait',
  UPDATE_ROLLBACK_IN_PROGRESS: 'wait',
} as const satisfies Record<StackStatus, 'create' | 'update' | 'replace' | 'wait'>;

/**
 * Brings the stack to `template`. Idempotent by the template: the same one again changes nothing.
 * @throws StackError with the first reason that CloudFormation gives when it refuses or rolls back, or after two minutes
 */
export async function deployStack(cloudformation: CloudFormationClient, template: Template): Promise<DeployedStack> {
  const deadline = Date.now() + TIMEOUT_MS;
  const change = await bringUp(cloudformation, template, deadline);
  const stack = await settled(cloudformation, deadline);
  if (stack?.StackStatus !== 'CREATE_COMPLETE' && stack?.StackStatus !== 'UPDATE_COMPLETE') {
    throw new StackError(
      `CloudFormation stack ${STACK_NAME} ended in ${stack?.StackStatus ?? 'no stack at all'}: ${await firstReason(cloudformation)}`,
    );
  }
  return {
    change,
    outputs: Object.fromEntries(
      (stack.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey ?? '', OutputValue ?? '']),
    ),
    resources: await physicalIds(cloudformation),
  };
}

async function bringUp(
  cloudformation: CloudFormationClient,
  template: Template,
  deadline: number,
): Promise<DeployedStack['change']> {
  for (;;) {
    const stack = await settled(cloudformation, deadline);
    try {
      const change = await takeStep(cloudformation, stack, template);
      if (change !== undefined) return change;
    } catch (error) {
      // Another deployment was quicker: once it has settled, this one has nothing or the difference to do.
      if (!isOvertaken(error)) throw error;
    }
    if (Date.now() > deadline) {
      throw new StackError(`CloudFormation stack ${STACK_NAME} takes no update: ${await firstReason(cloudformation)}`);
    }
    await sleep(POLL_MS);
  }
}

/** The next step from where the stack is; undefined when there is another one after it. */
async function takeStep(
  cloudformation: CloudFormationClient,
  stack: Stack | undefined,
  template: Template,
): Promise<DeployedStack['change'] | undefined> {
  const request = {
    StackName: STACK_NAME,
    TemplateBody: JSON.stringify(template),
    Capabilities: ['CAPABILITY_IAM' as const],
  };
  const next = stack?.StackStatus === undefined ? 'create' : NEXT_STEP[stack.StackStatus];
  if (next === 'create') {
    await cloudformation.send(new CreateStackCommand(request));
    return 'created';
  }
  if (next === 'replace') {
    await cloudformation.send(new DeleteStackCommand({ StackName: STACK_NAME }));
    return undefined;
  }
  try {
    await cloudformation.send(new UpdateStackCommand(request));
    return 'updated';
  } catch (error) {
    // The service has no name of its own for it.
    if (error instanceof Error && error.message.includes('No updates are to be performed')) return 'none';
    throw error;
  }
}

function isOvertaken(error: unknown): boolean {
  return (
    error instanceof AlreadyExistsException ||
    (error instanceof Error && /_IN_PROGRESS state and can ?not be updated/.test(error.message))
  );
}

/** The stack once nothing is in progress; undefined when there is none. */
async function settled(cloudformation: CloudFormationClient, deadline: number): Promise<Stack | undefined> {
  for (;;) {
    const stack = await describe(cloudformation);
    if (stack?.StackStatus === undefined || NEXT_STEP[stack.StackStatus] !== 'wait') return stack;
    if (Date.now() > deadline) {
      throw new StackError(
        `CloudFormation stack ${STACK_NAME} is still ${stack.StackStatus} after ${TIMEOUT_MS / 1_000} seconds`,
      );
    }
    await sleep(POLL_MS);
  }
}

async function describe(cloudformation: CloudFormationClient): Promise<Stack | undefined> {
  try {
    const { Stacks } = await cloudformation.send(new DescribeStacksCommand({ StackName: STACK_NAME }));
    return Stacks?.[0];
  } catch (error) {
    if (error instanceof Error && error.name === 'ValidationError' && error.message.includes('does not exist'))
      return undefined;
    throw error;
  }
}

async function firstReason(cloudformation: CloudFormationClient): Promise<string> {
  const { StackEvents } = await cloudformation.send(new DescribeStackEventsCommand({ StackName: STACK_NAME }));
  // Newest first: of the failures, the last one listed came first and caused the others.
  const failure = (StackEvents ?? []).filter(({ ResourceStatus }) => ResourceStatus?.endsWith('_FAILED')).at(-1);
  return failure === undefined
    ? 'no event says why'
    : `${failure.LogicalResourceId} (${failure.ResourceType}): ${failure.ResourceStatusReason ?? 'no reason given'}`;
}

async function physicalIds(cloudformation: CloudFormationClient): Promise<Record<string, string>> {
  const ids: Record<string, string> = {};
  for await (const page of paginateListStackResources({ client: cloudformation }, { StackName: STACK_NAME })) {
    for (const { LogicalResourceId, PhysicalResourceId } of page.StackResourceSummaries ?? []) {
      if (LogicalResourceId !== undefined && PhysicalResourceId !== undefined)
        ids[LogicalResourceId] = PhysicalResourceId;
    }
  }
  return ids;
}
