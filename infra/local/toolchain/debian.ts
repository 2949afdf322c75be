import type { Progress } from '../progress';
import { StackError } from '../stack-error';
import { onPath, run } from './command';

const INSTALL_LIMIT_MS = 10 * 60_000;
const RETRIES = ['-o', 'Acquire::Retries=3', '-o', 'DPkg::Lock::Timeout=300'];
/** A settings file that is there already stays as it is, and nobody is asked. */
const KEEP_SETTINGS = ['-o', 'Dpkg::Options::=--force-confold', '-o', 'Dpkg::Options::=--force-confdef'];

/** True where this user may install packages of a Debian-like distribution. */
export function canInstallPackages(): boolean {
  return process.getuid?.() === 0 && onPath('apt-get') !== undefined;
}

let listsUpdated: Promise<unknown> | undefined;
let queue: Promise<unknown> = Promise.resolve();

/**
 * Installs packages of the distribution, one call at a time: apt holds one lock.
 * @throws StackError with apt's last lines
 */
export async function installPackages(packages: readonly string[], progress: Progress): Promise<void> {
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const mine = queue.then(async () => {
    // One failure is not kept: the next try updates again.
    listsUpdated ??= run('apt-get', [...RETRIES, 'update', '-q'], { env, timeoutMs: INSTALL_LIMIT_MS }).catch((error: unknown) => {
      listsUpdated = undefined;
      throw error;
    });
    await listsUpdated;
    progress.note(`Installing ${packages.join(', ')} from the distribution`);
    await run('apt-get', [...RETRIES, ...KEEP_SETTINGS, 'install', '-q', '-y', '--no-install-recommends', ...packages], { env, timeoutMs: INSTALL_LIMIT_MS });
  });
  queue = mine.catch(() => undefined);
  await mine;
}

/** What to say where neither the machine has a tool nor this user may install it. */
export function missingTool(title: string, packages: readonly string[]): StackError {
  return new StackError(
    `${title} is not on this machine, and this user cannot install packages: install ${packages.join(' and ')} ` +
      '(as root: apt-get install them), or use docker-compose.temporal.yml, which brings everything in containers',
  );
}
