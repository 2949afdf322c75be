import { Command } from 'commander';
import { planText } from '../infra/deploy/plan-text';
import type { DeploymentHooks } from '../infra/deploy/deploy-stack';
import type { DeploymentPlan } from '../infra/deploy/plan';
import { synthesise, type Templates } from '../infra/deploy/synthesis';
import { type StackName } from '../infra/deploy/stacks';
import { stackHome } from '../infra/local/stack-env';
import { assertCanAsk, confirmed } from './confirm';
import { deployToAws } from './deploy/to-aws';
import { deployToLocal } from './deploy/to-local';
import { givenParameters } from './deploy/parameters';
import { regionOf, stacksOf, targeted, tellEvent, type TargetOptions } from './deploy/target';
import { createOutput, type Output, UsageError } from './output';

interface DeployOptions extends TargetOptions {
  readonly parameter: readonly string[];
  readonly parametersFile?: string;
}

const collect = (value: string, previous: readonly string[]) => [...previous, value];

export function deployCommand(): Command {
  return targeted(
    new Command('deploy').description("bring the infrastructure to infra/aws's templates: shows a plan, asks, follows it to its end"),
  )
    .option('--parameter <name=value>', "a template's parameter; may be repeated. Others keep their value", collect, [])
    .option('--parameters-file <path>', 'JSON: {"name": "value"}, or CloudFormation\'s list of ParameterKey and ParameterValue')
    .addHelpText(
      'after',
      '\n  meridian deploy --target local                          what `meridian up` does to its AWS, with a plan' +
        '\n  meridian deploy --target aws --plan                     what would change; nothing does' +
        '\n  meridian deploy --target aws --stack deployment --parameter GitHubRepository=owner/name' +
        '\n\nAWS is whatever account the SDK finds: AWS_PROFILE, single sign-on, a role. A root user is refused. Where the deployment stack' +
        '\nis, CloudFormation works as its role. Settings for workers go to .meridian/deployments/<region>.env: MERIDIAN_ENV_FILE=<file> meridian worker.',
    )
    .action(async (options: DeployOptions) => {
      if (options.plan !== true) assertCanAsk(options);
      const output = createOutput(options);
      const home = stackHome();
      const region = options.target === 'aws' ? regionOf(options) : undefined;
      const given = givenParameters(options);
      const templates = await synthesise(home, output.note);
      const stacks = stacksOf(options, templates);
      refuseUnknown(given, stacks, templates);
      const plans: DeploymentPlan[] = [];
      const work = { home, stacks, templates, given, output, hooks: hooksOf(options, output, plans) };
      const done = region === undefined ? await deployToLocal(work) : await deployToAws({ ...work, region });
      const document = { target: options.target, ...done, plans: plans.map((plan) => ({ ...plan, changeSet: plan.changeSet?.id })) };
      if (options.plan === true) return output.result(document, plans.map(planText).join('\n'));
      output.result(
        document,
        [...done.stacks.map(({ stack, change }) => `${stack}: ${change === 'none' ? 'as its template says' : change}`), done.advice].join(
          '\n',
        ),
      );
    });
}

/** Each stack takes those that it declares; one that none of them declares is a slip. */
function refuseUnknown(given: Readonly<Record<string, string>>, stacks: readonly StackName[], templates: Templates): void {
  const declared = stacks.flatMap((stack) => Object.keys(templates[stack]?.Parameters ?? {}));
  const unknown = Object.keys(given).filter((name) => !declared.includes(name));
  if (unknown.length === 0) return;
  throw new UsageError(`--parameter: expected one of ${[...new Set(declared)].sort().join(', ') || 'none'}, found ${unknown.join(', ')}`);
}

function hooksOf(options: DeployOptions, output: Output, plans: DeploymentPlan[]): DeploymentHooks {
  return {
    note: output.note,
    confirm: async (plan) => {
      plans.push(plan);
      if (options.plan === true) return false;
      output.note(planText(plan));
      if (plan.kind === 'none' || options.yes === true || (await confirmed('Deploy?'))) return true;
      throw new Error(`Nothing of stack ${plan.stack} was deployed`);
    },
    onEvent: tellEvent(output),
  };
}
