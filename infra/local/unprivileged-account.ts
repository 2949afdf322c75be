import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { StackError } from './stack-error';

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root: whom it runs as there; undefined for everybody else. */
export function unprivilegedAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync('/etc/passwd', 'utf8').split('\n').map((line) => line.split(':'));
  for (const wanted of ['postgres', 'nobody']) {
    const found = accounts.find(([name]) => name === wanted);
    if (found?.[2] !== undefined && found[3] !== undefined) return { uid: Number(found[2]), gid: Number(found[3]) };
  }
  throw new StackError('PostgreSQL refuses to run as root, and neither "postgres" nor "nobody" is in /etc/passwd: run as another user');
}

/**
 * A folder of this stack that `account` can reach: `home`, or, where one of its parents is closed to others as root's home is, one
 * below /var/tmp that is named after it.
 * @throws StackError when somebody else has made that folder
 */
export function reachableFolder(home: string, account: Account | undefined): string {
  if (account === undefined || isOpen(home)) return home;
  const folder = join('/var/tmp', `meridian-${createHash('sha256').update(home).digest('hex').slice(0, 12)}`);
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  if (statSync(folder).uid !== process.getuid?.()) {
    throw new StackError(`${folder}, wanted for PostgreSQL because others cannot reach ${home}, belongs to somebody else: set MERIDIAN_HOME to a folder that all can pass through`);
  }
  return folder;
}

function isOpen(folder: string): boolean {
  mkdirSync(folder, { recursive: true });
  for (let path = folder; ; path = dirname(path)) {
    if ((statSync(path).mode & 0o001) === 0) return false;
    if (path === dirname(path)) return true;
  }
}
