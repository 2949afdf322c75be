import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { removeCluster } from './postgres-cluster';
import { StackError } from './stack-error';

/** Settings of deployments to AWS, which are none of the local stack's state. */
const AWS_SETTINGS = 'deployments';
/** The stack's own files: a folder that has none of them, and is not empty, is somebody else's. */
const OWN = ['run', 'stack.env', 'postgres.secrets.json', 'logs', 'template', AWS_SETTINGS];

/**
 * Refuses a folder that is not the stack's: one mistaken MERIDIAN_HOME and `down --purge` would remove a home directory.
 * @throws StackError that names the folder
 */
export function assertStackFolder(home: string): void {
  const entries = entriesOf(home);
  if (entries.length > 0 && !entries.some((entry) => OWN.includes(entry))) {
    throw new StackError(`MERIDIAN_HOME: expected an empty or missing folder, or one of a local stack; found other files in ${home}. Choose another folder`);
  }
}

/** Removes the folder of a stopped stack, and what it had to put elsewhere. Settings of deployments to AWS stay. Safe to run twice. */
export function removeStackFolder(home: string): void {
  assertStackFolder(home);
  if (entriesOf(home).length > 0) removeCluster(home);
  const state = entriesOf(home).filter((entry) => entry !== AWS_SETTINGS);
  for (const entry of state) rmSync(join(home, entry), { recursive: true, force: true, maxRetries: 3 });
  if (entriesOf(home).length === 0) rmSync(home, { recursive: true, force: true });
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return [];
    if (code === 'ENOTDIR') throw new StackError(`MERIDIAN_HOME: expected a folder, found a file: ${folder}`);
    throw error;
  }
}
