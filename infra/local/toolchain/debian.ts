import type { Progress } from '../progress';
import { StackError } from '../stack-error';
import { onPath, run } from './command';

const INSTALL_LIMIT_MS = 10 * 60_000;

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
  const env = { DEBIAN_FRONTEND: 'noninteractive', PATH: process.env['PATH'] };
  const mine = queue.then(async () => {
    listsUpdated ??= run('apt-get', ['update', '-q'], { env, timeoutMs: INSTALL_LIMIT_MS });
    await listsUpdated;
    progress.note(`Installing ${packages.join(', ')} from the distribution`);
    await run('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...packages], { env, timeoutMs: INSTALL_LIMIT_MS });
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
