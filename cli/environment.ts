import { readStackEnv, stackHome } from '../infra/local/stack-env';
import { taskEnvironment } from '../infra/local/task-environment';

/** Takes the local stack's settings for what the environment does not set; no stack, no change. */
export async function loadStackEnvironment(): Promise<void> {
  for (const [name, value] of Object.entries(readStackEnv(stackHome()))) process.env[name] ??= value;
}

/** The same for a worker, which on a stack that enforces its policies has no keys but those of its role. */
export async function loadWorkerEnvironment(): Promise<void> {
  await loadStackEnvironment();
  // Keys of the caller's own choice stay; the stack's are its administrator's.
  if (process.env['AWS_ACCESS_KEY_ID'] !== readStackEnv(stackHome())['AWS_ACCESS_KEY_ID']) return;
  const env = taskEnvironment(process.env);
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name];
  Object.assign(process.env, env);
}
