import { openAwsTarget } from '../../infra/deploy/aws-target';
import { dataVariables } from '../../infra/deploy/data-variables';
import { deployStack } from '../../infra/deploy/deploy-stack';
import { STACKS } from '../../infra/deploy/stacks';
import { templateOf } from '../../infra/deploy/synthesis';
import { awsEnvFile, readSettings, writeSettings } from '../../infra/local/stack-env';
import { type DeploymentResult, type DeploymentWork, parametersFor } from './work';

/** Deploys to an AWS account. What workers read of the data stack goes to a file of its region. */
export async function deployToAws(
  work: DeploymentWork & { readonly region: string },
): Promise<DeploymentResult & { readonly account: string; readonly region: string }> {
  const { home, region, output, hooks } = work;
  const aws = await openAwsTarget(region);
  try {
    output.note(`Account ${aws.account}, region ${region}, as ${aws.caller}`);
    const done: DeploymentResult['stacks'][number][] = [];
    const file = awsEnvFile(home, region);
    let settings: string | undefined;
    for (const stack of work.stacks) {
      const request = {
        stack,
        template: templateOf(work.templates, stack),
        parameters: parametersFor(work, stack, readSettings(file) ?? {}),
      };
      const deployed = await deployStack(aws.targetOf(stack), request, hooks);
      if (deployed === undefined) continue;
      done.push({ stack, change: deployed.change, outputs: deployed.outputs });
      if (stack !== STACKS.data) continue;
      settings = file;
      writeSettings(settings, { AWS_REGION: region, ...(await dataVariables(aws.s3, deployed)) });
    }
    const advice =
      settings === undefined
        ? 'Nothing that workers read has changed'
        : `Workers of this region: MERIDIAN_ENV_FILE=${settings} npx meridian worker`;
    return { account: aws.account, region, stacks: done, ...(settings === undefined ? {} : { settings }), advice };
  } finally {
    aws.close();
  }
}
