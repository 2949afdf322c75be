import { setTimeout as sleep } from 'node:timers/promises';
import { type CloudFormationClient, DescribeStacksCommand, type Stack, type StackStatus } from '@aws-sdk/client-cloudformation';
import { DeploymentError } from './deployment-error';

/** What each state of a stack asks for next. */
const NEXT_STEP = {
  CREATE_COMPLETE: 'update',
  UPDATE_COMPLETE: 'update',
  UPDATE_ROLLBACK_COMPLETE: 'update',
  IMPORT_COMPLETE: 'update',
  IMPORT_ROLLBACK_COMPLETE: 'update',
  UPDATE_FAILED: 'update',
  DELETE_COMPLETE: 'create',
  REVIEW_IN_PROGRESS: 'create',
  // The creation failed: what is left of it takes no update and holds nothing.
  CREATE_FAILED: 'replace',
  ROLLBACK_COMPLETE: 'replace',
  ROLLBACK_FAILED: 'replace',
  // It may hold data: a person decides.
  DELETE_FAILED: 'stuck',
  UPDATE_ROLLBACK_FAILED: 'stuck',
  IMPORT_ROLLBACK_FAILED: 'stuck',
  CREATE_IN_PROGRESS: 'wait',
  DELETE_IN_PROGRESS: 'wait',
  IMPORT_IN_PROGRESS: 'wait',
  IMPORT_ROLLBACK_IN_PROGRESS: 'wait',
  ROLLBACK_IN_PROGRESS: 'wait',
  UPDATE_COMPLETE_CLEANUP_IN_PROGRESS: 'wait',
  UPDATE_IN_PROGRESS: 'wait',
  UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS: 'wait',
  UPDATE_ROLLBACK_IN_PROGRESS: 'wait',
} as const satisfies Record<StackStatus, 'create' | 'update' | 'replace' | 'stuck' | 'wait'>;

/** Where a deployment goes, and at which pace. */
export interface StackTarget {
  readonly cloudformation: CloudFormationClient;
  readonly pollMs: number;
  /** No step of CloudFormation is waited for longer. */
  readonly timeoutMs: number;
  /** The role that CloudFormation works as; absent: as the caller. */
  readonly roleArn?: string;
  /** Puts a template that is too long for a request where CloudFormation reads it. */
  readonly upload?: (body: string) => Promise<UploadedTemplate>;
}

/** A template that CloudFormation fetches. */
export interface UploadedTemplate {
  readonly url: string;
  /** Takes it away again, where it does not go by itself. */
  readonly discard?: () => Promise<void>;
}

/** What may be done with a stack in this state; `create` where there is none. */
export function nextStep(stack: Stack | undefined): (typeof NEXT_STEP)[StackStatus] {
  return stack?.StackStatus === undefined ? 'create' : NEXT_STEP[stack.StackStatus];
}

/** The stack of that name, or of that id even when it is deleted; undefined when there is none. */
export async function describeStack(cloudformation: CloudFormationClient, nameOrId: string): Promise<Stack | undefined> {
  try {
    const { Stacks } = await cloudformation.send(new DescribeStacksCommand({ StackName: nameOrId }));
    return Stacks?.[0];
  } catch (error) {
    if (error instanceof Error && error.name === 'ValidationError' && error.message.includes('does not exist')) return undefined;
    throw error;
  }
}

/** The stack once nothing is in progress. @throws DeploymentError when something still is after the target's time */
export async function settledStack({ cloudformation, pollMs, timeoutMs }: StackTarget, nameOrId: string): Promise<Stack | undefined> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const stack = await describeStack(cloudformation, nameOrId);
    if (nextStep(stack) !== 'wait') return stack;
    if (Date.now() > deadline) {
      throw new DeploymentError(
        `CloudFormation stack ${nameOrId} is still ${stack?.StackStatus} after ${timeoutMs / 1_000} seconds: wait for it, \`aws cloudformation describe-stack-events --stack-name ${nameOrId}\` shows it, then run the same command again`,
      );
    }
    await sleep(pollMs);
  }
}
