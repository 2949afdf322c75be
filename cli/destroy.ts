import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { S3Client } from '@aws-sdk/client-s3';
import { Command } from 'commander';
import { STACK_OUTPUTS } from '../domain/stack-outputs';
import { openAwsTarget } from '../infra/deploy/aws-target';
import { type DeletionHooks, type DeletionPlan, destroyStack } from '../infra/deploy/deletion';
import { deletionText } from '../infra/deploy/plan-text';
import { STACKS, type StackName, type StackWord } from '../infra/deploy/stacks';
import { localConnection, localTarget } from '../infra/local/deploy';
import { awsEnvFile, readStackEnv, removeSettings, stackHome, withdrawStackEnv } from '../infra/local/stack-env';
import { assertCanAsk, confirmed } from './confirm';
import { regionOf, targeted, tellEvent, type TargetOptions } from './deploy/target';
import { createOutput, type Output, UsageError } from './output';

interface DestroyOptions extends TargetOptions {
  readonly deleteData?: string;
}

export function destroyCommand(): Command {
  return targeted(
    new Command('destroy').description(
      'delete the infrastructure that `deploy` made: shows what goes and what stays, asks, follows it to its end',
    ),
  )
    .option('--delete-data <stack>', "the stack's name, typed out: buckets and tables go too, with all that is in them")
    .addHelpText(
      'after',
      '\n  meridian destroy --target aws --plan                       what would go and what would stay' +
        '\n  meridian destroy --target aws --delete-data Meridian       the lake with every object, for ever' +
        '\n\nWithout --delete-data buckets, tables and images stay, named with what is in them. Stop the workers first: one that writes keeps a bucket from going.',
    )
    .action(async (options: DestroyOptions) => {
      const stacks = doomedStacks(options);
      if (options.plan !== true) assertCanAsk(options);
      const output = createOutput(options);
      const home = stackHome();
      const plans: DeletionPlan[] = [];
      const hooks = hooksOf(options, output, plans);
      const done =
        options.target === 'aws'
          ? await destroyOnAws(regionOf(options), home, options, stacks, hooks)
          : await destroyLocally(home, options, stacks, hooks);
      const document = {
        target: options.target,
        deleted: done.map(({ stack }) => stack),
        plans: plans.map(({ stack, resources }) => ({ stack, resources })),
      };
      if (options.plan === true)
        return output.result(document, plans.length === 0 ? 'There is no such stack' : plans.map(deletionText).join('\n'));
      output.result(document, done.length === 0 ? 'There was no such stack' : done.map(resultText).join('\n'));
    });
}

/** Whoever needs another goes first. Data goes by its stack's name only. */
function doomedStacks({ stack, deleteData }: DestroyOptions): readonly StackName[] {
  const words = (Object.keys(STACKS) as StackWord[]).filter((word) => stack === 'all' || word === stack).reverse();
  const names = words.map((word) => STACKS[word]);
  if (deleteData !== undefined && (names.length !== 1 || names[0] !== deleteData)) {
    throw new UsageError(`--delete-data: expected the name of the one stack that is meant, ${names.join(' or ')}, found "${deleteData}"`);
  }
  return names;
}

async function destroyOnAws(
  region: string,
  home: string,
  options: DestroyOptions,
  stacks: readonly StackName[],
  hooks: DeletionHooks,
): Promise<readonly DeletionPlan[]> {
  const aws = await openAwsTarget(region);
  try {
    const done = await destroyEach(stacks, (stack) => destroyStack(aws.targetOf(stack), aws.s3, requestOf(stack, options), hooks));
    if (done.some(({ stack }) => stack === STACKS.data)) removeSettings(awsEnvFile(home, region));
    return done;
  } finally {
    aws.close();
  }
}

async function destroyLocally(
  home: string,
  options: DestroyOptions,
  stacks: readonly StackName[],
  hooks: DeletionHooks,
): Promise<readonly DeletionPlan[]> {
  const connection = localConnection(readStackEnv(home));
  const cloudformation = new CloudFormationClient(connection);
  const s3 = new S3Client({ ...connection, forcePathStyle: true });
  try {
    const done = await destroyEach(stacks, (stack) => destroyStack(localTarget(cloudformation, s3), s3, requestOf(stack, options), hooks));
    if (done.some(({ stack }) => stack === STACKS.data))
      withdrawStackEnv(home, [...Object.values(STACK_OUTPUTS), 'MERIDIAN_JOBS_URI', 'MERIDIAN_WORKER_ROLE_ARN']);
    return done;
  } finally {
    cloudformation.destroy();
    s3.destroy();
  }
}

async function destroyEach(
  stacks: readonly StackName[],
  destroy: (stack: StackName) => Promise<DeletionPlan | undefined>,
): Promise<readonly DeletionPlan[]> {
  const done: DeletionPlan[] = [];
  for (const stack of stacks) {
    const plan = await destroy(stack);
    if (plan !== undefined) done.push(plan);
  }
  return done;
}

function requestOf(stack: StackName, { deleteData }: DestroyOptions): { readonly stack: StackName; readonly deleteData: boolean } {
  return { stack, deleteData: deleteData === stack };
}

function hooksOf(options: DestroyOptions, output: Output, plans: DeletionPlan[]): DeletionHooks {
  return {
    confirm: async (plan) => {
      plans.push(plan);
      if (options.plan === true) return false;
      output.note(deletionText(plan));
      if (options.yes === true || (await confirmed('Delete?'))) return true;
      throw new Error(`Nothing of stack ${plan.stack} was deleted`);
    },
    onEvent: tellEvent(output),
    onEmptied: (bucket, objects) => output.advance(`emptying ${bucket}`, objects, undefined, 'objects'),
  };
}

function resultText({ stack, resources }: DeletionPlan): string {
  const kept = resources.filter(({ fate }) => fate === 'leave').map(({ type, physicalId }) => `\n  ${physicalId} (${type})`);
  return kept.length === 0
    ? `${stack} is deleted; nothing of it is left`
    : `${stack} is deleted. Kept, and to be deleted by hand once nobody needs them:${kept.join('')}`;
}
