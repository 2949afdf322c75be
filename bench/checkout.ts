import { execFileSync } from 'node:child_process';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Checkout } from './benchmark';

/** Of the present code. */
export const ROOT = join(__dirname, '..');

/** A worktree of another commit, for as long as `use` takes. It runs with the packages that are installed here. */
export async function withCheckout<T>(commit: string, scratch: string, use: (checkout: Checkout) => Promise<T>): Promise<T> {
  const root = join(scratch, 'against');
  const git = (...args: string[]) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  git('worktree', 'add', '--detach', root, commit);
  try {
    symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
    return await use({ commit: git('rev-parse', '--short=12', commit), root });
  } finally {
    git('worktree', 'remove', '--force', root);
  }
}
