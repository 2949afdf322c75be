import { loadEnvFile } from 'node:process';
import { join } from 'node:path';
import { stackHome } from '../infra/local/stack-env';

/** Takes the local stack's settings for what the environment does not set; no stack, no change. */
export function loadStackEnvironment(): Promise<void> {
  try {
    loadEnvFile(join(stackHome(), 'stack.env'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return Promise.resolve();
}
