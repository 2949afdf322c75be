import { readSettings, readStackEnv, stackHome } from '../infra/local/stack-env';
import { taskEnvironment } from '../infra/local/task-environment';
import { UsageError } from './output';

/**
 * Takes for what the environment does not set the settings of the file that MERIDIAN_ENV_FILE names, such as `deploy --target aws`
 * writes one; without it those of the local stack, if there is one.
 */
export async function loadStackEnvironment(): Promise<void> {
  const file = process.env['MERIDIAN_ENV_FILE'];
  const settings = file === undefined ? readStackEnv(stackHome()) : readSettings(file);
  if (settings === undefined) {
    throw new UsageError(`MERIDIAN_ENV_FILE: expected a file of settings, found none at ${file}. \`meridian deploy --target aws\` writes one`);
  }
  for (const [name, value] of Object.entries(settings)) process.env[name] ??= value;
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
