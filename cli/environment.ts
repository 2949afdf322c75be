import { readStackEnv, stackHome } from '../infra/local/stack-env';

/** Takes the local stack's settings for what the environment does not set; no stack, no change. */
export async function loadStackEnvironment(): Promise<void> {
  for (const [name, value] of Object.entries(readStackEnv(stackHome()))) process.env[name] ??= value;
}
