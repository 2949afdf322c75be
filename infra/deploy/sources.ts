import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

/** A source file, by its path below the folder that was asked for. */
export interface SourceFile {
  /** Relative, with `/`. */
  readonly name: string;
  readonly content: Buffer;
}

/** All files below `folder` whose name ends so, sorted by name; what Python leaves behind is not among them. Empty without the folder. */
export function sourceFiles(folder: string, ending: string): readonly SourceFile[] {
  let entries;
  try {
    entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ name: relative(folder, path).split(sep).join('/'), path }))
    .filter(({ name }) => !name.includes('__pycache__/'))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, path }) => ({ name, content: readFileSync(path) }));
}

/** SHA-256, the first 16 hexadecimal digits, over names and contents: tells any two sets of files apart. */
export function hashFiles(files: readonly SourceFile[]): string {
  const hash = createHash('sha256');
  for (const { name, content } of files) hash.update(`${name}\0${content.length}\0`).update(content);
  return hash.digest('hex').slice(0, 16);
}
