import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import type { Edit, PlantedBug } from './planted-bugs';

const CHECKOUT = resolve(__dirname, '..', '..', '..');
const LEFT_OUT = new Set(['node_modules', '.git', '.meridian']);

/** A scratch copy of the checkout with a bug in it. The caller removes it by `uproot`. @throws when an edit could not be applied */
export function plant(bug: Pick<PlantedBug, 'edits'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'meridian-planted-'));
  try {
    cpSync(CHECKOUT, folder, { recursive: true, filter: (path) => !LEFT_OUT.has(basename(path)) });
    symlinkSync(realpathSync(join(CHECKOUT, 'node_modules')), join(folder, 'node_modules'));
    for (const edit of bug.edits) apply(folder, edit);
    return folder;
  } catch (error) {
    uproot(folder);
    throw error;
  }
}

export function uproot(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

/** How often the text of an edit occurs in the checkout as it is. */
export function occurrences({ file, find }: Edit, folder = CHECKOUT): number {
  return readFileSync(join(folder, file), 'utf8').split(find).length - 1;
}

function apply(folder: string, edit: Edit): void {
  const { file, find, replace } = edit;
  const before = occurrences(edit, folder);
  if (before !== 1) throw new Error(`${file} has the text ${before} times, expected once: ${find}`);
  const path = join(folder, file);
  // A function: the text may hold `$&`.
  writeFileSync(path, readFileSync(path, 'utf8').replace(find, () => replace));
  const after = occurrences(edit, folder);
  if (after !== 0 || !readFileSync(path, 'utf8').includes(replace)) throw new Error(`${file} still has the text ${after} times: ${find}`);
}
