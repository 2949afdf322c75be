import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The product's role owns the database; readers get what is granted to them. */
export const ROLES = ['meridian', 'meridian_reader'] as const;
export type Passwords = Readonly<Record<'postgres' | (typeof ROLES)[number], string>>;

/** The cluster's passwords: drawn once, readable by their owner alone. Idempotent by `home`. */
export function ensurePasswords(home: string): Passwords {
  const file = join(home, 'postgres.secrets.json');
  const known = readPasswords(file);
  if (known !== undefined) return known;
  const passwords = Object.fromEntries(['postgres', ...ROLES].map((role) => [role, randomBytes(18).toString('base64url')])) as Passwords;
  mkdirSync(home, { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify(passwords), { mode: 0o600 });
  chmodSync(`${file}.new`, 0o600);
  renameSync(`${file}.new`, file);
  return passwords;
}

/** The reader's password, for the line that a person pastes. */
export function readerPassword(home: string): string {
  return ensurePasswords(home).meridian_reader;
}

function readPasswords(file: string): Passwords | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Passwords;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
