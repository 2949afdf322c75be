import { readFileSync, statSync } from 'node:fs';

const GROUP_AND_OTHERS = 0o077;

/**
 * The text of a file that holds a secret.
 * @param what - what the file holds and which variable names it, for the error
 * @throws Error when it cannot be read, is no regular file, or someone beside its owner may read or write it; never with its content
 */
export function readOwnerOnly(path: string, what: string): string {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new Error('is no regular file');
    if ((stat.mode & GROUP_AND_OTHERS) !== 0) {
      throw new Error(`has mode ${(stat.mode & 0o777).toString(8).padStart(3, '0')}, expected 600: \`chmod 600 ${path}\`, and replace what it holds if others could read it`);
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`${what}: ${path} ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === undefined ? message : `cannot be read (${code})`;
}
