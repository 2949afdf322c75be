import { deployLocalStack } from '../../infra/local/deploy';
import { templateOf } from '../../infra/deploy/synthesis';
import { mergeStackEnv, readStackEnv, stackEnvFile } from '../../infra/local/stack-env';
import { type DeploymentResult, type DeploymentWork, parametersFor } from './work';

/** Deploys to the local AWS of a stack that is up. What workers read of it joins the stack's settings. */
export async function deployToLocal(work: DeploymentWork): Promise<DeploymentResult> {
  const { home, output, hooks } = work;
  const done: DeploymentResult['stacks'][number][] = [];
  for (const stack of work.stacks) {
    const env = readStackEnv(home);
    const parameters = parametersFor(work, stack, env);
    const deployed = await deployLocalStack({ home, env, progress: output, stack, template: templateOf(work.templates, stack), parameters, hooks });
    if (deployed === undefined) continue;
    if (Object.keys(deployed.variables).length > 0) mergeStackEnv(home, deployed.variables);
    done.push({ stack, change: deployed.stack.change, outputs: deployed.stack.outputs });
  }
  return { stacks: done, settings: stackEnvFile(home), advice: '`npx meridian worker` reads what was deployed' };
}
