import { setTimeout as sleep } from 'node:timers/promises';
import { paginateDescribeStackEvents, type Stack, type StackEvent } from '@aws-sdk/client-cloudformation';
import { DeploymentError } from './deployment-error';
import { describeStack, nextStep, type StackTarget } from './stack-state';

/** The events that a stack has so far, by id. */
export type KnownEvents = ReadonlySet<string>;

/** How an operation ended. */
export interface FollowedOperation {
  readonly stack: Stack;
  /** Of this operation alone, oldest first. */
  readonly events: readonly StackEvent[];
}

/** What was there before an operation, so that its own events can be told apart. */
export async function knownEvents(target: StackTarget, stackId: string): Promise<KnownEvents> {
  return new Set((await eventsSince(target, stackId, new Set())).map(({ EventId }) => EventId ?? ''));
}

/**
 * Follows an operation until the stack itself says that it has ended.
 * @param onEvent - told of each event once, oldest first
 * @throws DeploymentError when it has not ended in the target's time; it goes on then
 */
export async function followStack(
  target: StackTarget,
  stackId: string,
  known: KnownEvents,
  onEvent: (event: StackEvent) => void,
): Promise<FollowedOperation> {
  const deadline = Date.now() + target.timeoutMs;
  const seen = new Set(known);
  const events: StackEvent[] = [];
  for (;;) {
    for (const event of await eventsSince(target, stackId, seen)) {
      seen.add(event.EventId ?? '');
      events.push(event);
      onEvent(event);
    }
    // The state alone is not enough: right after the request it may still be the one before.
    if (
      events.some(
        (event) =>
          event.PhysicalResourceId === stackId &&
          nextStep({ ...STACK, StackStatus: event.ResourceStatus as Stack['StackStatus'] }) !== 'wait',
      )
    ) {
      const stack = await describeStack(target.cloudformation, stackId);
      if (stack !== undefined && nextStep(stack) !== 'wait') return { stack, events };
    }
    if (Date.now() > deadline) {
      throw new DeploymentError(
        `CloudFormation stack ${stackId} has not ended after ${target.timeoutMs / 1_000} seconds; it goes on: \`aws cloudformation describe-stack-events --stack-name ${stackId}\` shows it`,
      );
    }
    await sleep(target.pollMs);
  }
}

const STACK = { StackName: undefined, CreationTime: undefined };

/** Newest first is how the service gives them: nothing beyond the first known one is asked for. */
async function eventsSince({ cloudformation }: StackTarget, stackId: string, seen: KnownEvents): Promise<readonly StackEvent[]> {
  const found: StackEvent[] = [];
  for await (const { StackEvents = [] } of paginateDescribeStackEvents({ client: cloudformation }, { StackName: stackId })) {
    const fresh = StackEvents.filter(({ EventId }) => !seen.has(EventId ?? ''));
    found.push(...fresh);
    if (fresh.length < StackEvents.length) break;
  }
  return found.reverse();
}

/**
 * The resource that failed first, with its reason: it caused the others.
 * @param stack - says the reason itself when no resource had begun
 */
export function firstFailure({ stack, events }: FollowedOperation): string {
  const failure = events.find(
    ({ ResourceStatus, ResourceStatusReason, PhysicalResourceId }) =>
      ResourceStatus?.endsWith('_FAILED') === true &&
      PhysicalResourceId !== stack.StackId &&
      !/cancelled/i.test(ResourceStatusReason ?? ''),
  );
  if (failure !== undefined)
    return `${failure.LogicalResourceId} (${failure.ResourceType}): ${failure.ResourceStatusReason ?? 'no reason given'}`;
  return stack.StackStatusReason ?? 'no event says why';
}
