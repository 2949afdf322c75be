import { readSettings, readStackEnv, stackHome } from '../infra/local/stack-env';
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
