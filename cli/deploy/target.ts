import type { StackEvent } from '@aws-sdk/client-cloudformation';
import { type Command, Option } from 'commander';
import { STACKS, type StackName, type StackWord } from '../../infra/deploy/stacks';
import type { Templates } from '../../infra/deploy/synthesis';
import { type Output, UsageError } from '../output';

/** What `deploy` and `destroy` have in common. */
export interface TargetOptions {
  readonly target: 'local' | 'aws';
  readonly stack: StackWord | 'all';
  readonly region?: string;
  readonly plan?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** Adds the options that say where, what of it, and how to ask. */
export function targeted(command: Command): Command {
  return command
    .addOption(
      new Option('--target <where>', 'the local AWS that `meridian up` started, or AWS').choices(['local', 'aws']).makeOptionMandatory(),
    )
    .addOption(
      new Option(
        '--stack <which>',
        'data: the lake; runtime: the workers; monitoring: alarms and dashboard; deployment: what deploys from CI',
      )
        .choices([...Object.keys(STACKS), 'all'])
        .default('data'),
    )
    .option('--region <region>', 'of AWS (default: AWS_REGION)')
    .option('--plan', 'show the plan and do nothing')
    .option('--yes', 'do not ask; needed where there is no terminal')
    .option('--json', 'one JSON document on stdout');
}

/** @throws UsageError when nothing says which region */
export function regionOf({ region }: Pick<TargetOptions, 'region'>, env: NodeJS.ProcessEnv = process.env): string {
  const found = region ?? env['AWS_REGION'] ?? env['AWS_DEFAULT_REGION'];
  if (found === undefined || !/^[a-z]{2}(-[a-z]+)+-\d$/.test(found)) {
    throw new UsageError(
      `--region: expected an AWS region such as eu-central-1, found ${found === undefined ? 'none, nor AWS_REGION' : `"${found}"`}`,
    );
  }
  return found;
}

/**
 * The stacks that are meant, of those that infra/aws makes, in the order that one needs the other.
 * @throws UsageError for what deploys from GitHub, which the local AWS has no use for
 */
export function stacksOf({ stack: word, target }: Pick<TargetOptions, 'stack' | 'target'>, templates: Templates): readonly StackName[] {
  if (target === 'local' && word === 'deployment')
    throw new UsageError('--stack deployment: expected --target aws, where GitHub can deploy to, found --target local');
  return (Object.entries(STACKS) as [StackWord, StackName][])
    .filter(([each, name]) => (word === 'all' ? target === 'aws' || each !== 'deployment' : word === each) && templates[name] !== undefined)
    .map(([, name]) => name);
}

/** Tells of each resource that has come to an end. */
export function tellEvent({ note }: Pick<Output, 'note'>): (event: StackEvent) => void {
  return (event) => {
    const line = eventLine(event);
    if (line !== undefined) note(line);
  };
}

/** In one line; undefined for what only began. */
function eventLine({ ResourceStatus, LogicalResourceId, ResourceType, ResourceStatusReason }: StackEvent): string | undefined {
  if (ResourceStatus === undefined || ResourceStatus.endsWith('_IN_PROGRESS')) return undefined;
  const reason = ResourceStatus.endsWith('_FAILED') ? `: ${ResourceStatusReason ?? 'no reason given'}` : '';
  return `  ${ResourceStatus.padEnd(24)} ${LogicalResourceId} (${ResourceType})${reason}`;
}
