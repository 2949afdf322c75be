import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
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

/** The settings of the stack in `home`; empty before it was first started. */
export function readStackEnv(home: string): Record<string, string> {
  try {
    return Object.fromEntries(Object.entries(parseEnv(readFileSync(stackEnvFile(home), 'utf8'))).map(([name, value]) => [name, value ?? '']));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

/** Sets `variables` among the stack's settings, leaving the others. A reader never sees half a file. */
export function mergeStackEnv(home: string, variables: Readonly<Record<string, string>>): Record<string, string> {
  const merged = { ...readStackEnv(home), ...variables };
  mkdirSync(home, { recursive: true });
  const partial = `${stackEnvFile(home)}.${process.pid}`;
  const lines = Object.entries(merged).map(([name, value]) => `${name}=${JSON.stringify(value)}\n`);
  writeFileSync(partial, lines.join(''), { mode: 0o600 });
  chmodSync(partial, 0o600);
  renameSync(partial, stackEnvFile(home));
  return merged;
}
