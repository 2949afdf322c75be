import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseEnv } from 'node:util';

const CHECKOUT = resolve(__dirname, '..', '..');

/** The folder of the local stack: MERIDIAN_HOME, else `.meridian` of this checkout. */
export function stackHome(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(env['MERIDIAN_HOME'] ?? join(CHECKOUT, '.meridian'));
}

/** Where the stack's settings stand: `KEY=VALUE` lines, readable by their owner alone, since the database's password is among them. */
export function stackEnvFile(home: string): string {
  return join(home, 'stack.env');
}

/** Where the settings of a deployment to AWS stand: names of resources, no secrets. */
export function awsEnvFile(home: string, region: string): string {
  return join(home, 'deployments', `${region}.env`);
}

/** The settings of the stack in `home`; empty before it was first started. */
export function readStackEnv(home: string): Record<string, string> {
  return readSettings(stackEnvFile(home)) ?? {};
}

/** Sets `variables` among the stack's settings, leaving the others. */
export function mergeStackEnv(home: string, variables: Readonly<Record<string, string>>): Record<string, string> {
  const merged = { ...readStackEnv(home), ...variables };
  writeSettings(stackEnvFile(home), merged);
  return merged;
}

/** Takes settings of these names away from the stack's, leaving the others. */
export function withdrawStackEnv(home: string, names: readonly string[]): void {
  const left = Object.entries(readStackEnv(home)).filter(([name]) => !names.includes(name));
  writeSettings(stackEnvFile(home), Object.fromEntries(left));
}

/** The settings of a file; undefined when there is none. */
export function readSettings(path: string): Record<string, string> | undefined {
  try {
    return Object.fromEntries(Object.entries(parseEnv(readFileSync(path, 'utf8'))).map(([name, value]) => [name, value ?? '']));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Writes a file of settings, readable by its owner alone. A reader never sees half of it. */
export function writeSettings(path: string, variables: Readonly<Record<string, string>>): void {
  mkdirSync(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}`;
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${JSON.stringify(value)}\n`);
  writeFileSync(partial, lines.join(''), { mode: 0o600 });
  chmodSync(partial, 0o600);
  renameSync(partial, path);
}

/** Removes a file of settings. Safe to run twice. */
export function removeSettings(path: string): void {
  rmSync(path, { force: true });
}
