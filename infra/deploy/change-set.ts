import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type Change,
  CreateChangeSetCommand,
  DeleteChangeSetCommand,
  DeleteStackCommand,
  DescribeChangeSetCommand,
  type DescribeChangeSetOutput,
  type Parameter,
} from '@aws-sdk/client-cloudformation';
import { DeploymentError } from './deployment-error';
import { describeStack, type StackTarget, type UploadedTemplate } from './stack-state';
import type { Template } from './template';

/** The longest template that a request takes. @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html (25 November 2026) */
export const TEMPLATE_BODY_LIMIT = 51_200;

/** What CloudFormation would do. */
export interface ChangeSet {
  readonly id: string;
  readonly stackId: string;
  readonly changes: readonly Change[];
}

/** What a change set is made from. */
export interface ChangeSetRequest {
  readonly stack: string;
  readonly type: 'CREATE' | 'UPDATE';
  readonly template: Template;
  readonly parameters: readonly Parameter[];
}

/** Asks CloudFormation what it would do; nothing is touched. @returns undefined when it is nothing */
export async function createChangeSet(
  target: StackTarget,
  { stack, type, template, parameters }: ChangeSetRequest,
): Promise<ChangeSet | undefined> {
  const { members, discard } = await templateMembers(target, stack, template);
  let made: DescribeChangeSetOutput;
  try {
    const { Id } = await target.cloudformation.send(
      new CreateChangeSetCommand({
        StackName: stack,
        ChangeSetName: `meridian-${randomUUID()}`,
        ChangeSetType: type,
        ...members,
        Parameters: [...parameters],
        Capabilities: ['CAPABILITY_IAM', 'CAPABILITY_NAMED_IAM'],
        ...(target.roleArn === undefined ? {} : { RoleARN: target.roleArn }),
      }),
    );
    made = await describeMade(target, stack, Id ?? '');
  } finally {
    await discard?.();
  }
  const { ChangeSetId: Id = '', StackId = '' } = made;
  if (made.Status === 'FAILED') {
    await discardChangeSet(target, { id: Id, stackId: StackId });
    // The service has no name of its own for it.
    if (/didn't contain changes|No updates are to be performed/.test(made.StatusReason ?? '')) return undefined;
    throw new DeploymentError(
      `CloudFormation cannot plan stack ${stack}: ${made.StatusReason ?? 'no reason given'}. Nothing was changed: correct the cause and run the same command again`,
    );
  }
  return { id: Id, stackId: StackId, changes: made.Changes ?? [] };
}

/** Takes a plan back. A stack that exists for it alone goes too. Safe to run twice. */
export async function discardChangeSet({ cloudformation }: StackTarget, { id, stackId }: Pick<ChangeSet, 'id' | 'stackId'>): Promise<void> {
  await cloudformation.send(new DeleteChangeSetCommand({ ChangeSetName: id }));
  const stack = await describeStack(cloudformation, stackId);
  if (stack?.StackStatus !== 'REVIEW_IN_PROGRESS') return;
  try {
    await cloudformation.send(new DeleteStackCommand({ StackName: stackId }));
  } catch (error) {
    // Whoever only plans may delete no stack. This one holds nothing, and the next plan is made over it.
    if (!(error instanceof Error) || !error.name.startsWith('AccessDenied')) throw error;
  }
}

interface TemplateMembers {
  readonly members: { readonly TemplateBody: string } | { readonly TemplateURL: string };
  readonly discard?: UploadedTemplate['discard'] | undefined;
}

async function templateMembers({ upload }: StackTarget, stack: string, template: Template): Promise<TemplateMembers> {
  const body = JSON.stringify(template);
  const bytes = Buffer.byteLength(body);
  if (bytes <= TEMPLATE_BODY_LIMIT) return { members: { TemplateBody: body } };
  if (upload === undefined) {
    throw new DeploymentError(
      `The template of stack ${stack} has ${bytes} bytes, of which a request takes ${TEMPLATE_BODY_LIMIT}, and there is no bucket for it: deploy the bucket first, \`meridian deploy --target aws --stack deployment\``,
    );
  }
  const { url, discard } = await upload(body);
  return { members: { TemplateURL: url }, discard };
}

/** The change set once CloudFormation has computed it, with the changes of all its pages. */
async function describeMade(
  { cloudformation, pollMs, timeoutMs }: StackTarget,
  stack: string,
  id: string,
): Promise<DescribeChangeSetOutput> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const first = await cloudformation.send(new DescribeChangeSetCommand({ ChangeSetName: id, IncludePropertyValues: true }));
    if (first.Status !== 'CREATE_PENDING' && first.Status !== 'CREATE_IN_PROGRESS') {
      const changes = [...(first.Changes ?? [])];
      for (let NextToken = first.NextToken; NextToken !== undefined;) {
        const page = await cloudformation.send(new DescribeChangeSetCommand({ ChangeSetName: id, IncludePropertyValues: true, NextToken }));
        changes.push(...(page.Changes ?? []));
        NextToken = page.NextToken;
      }
      return { ...first, Changes: changes };
    }
    if (Date.now() > deadline)
      throw new DeploymentError(
        `CloudFormation has not planned stack ${stack} after ${timeoutMs / 1_000} seconds: run the same command again`,
      );
    await sleep(pollMs);
  }
}
