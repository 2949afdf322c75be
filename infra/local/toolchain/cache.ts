import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

const PARTIAL = '.partial-';

/**
 * Downloads and built tools, outside every checkout: MERIDIAN_CACHE, else the user's cache folder.
 * @see XDG Base Directory Specification: an XDG_CACHE_HOME that is empty or relative is as good as none
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const { XDG_CACHE_HOME: xdg = '' } = env;
  return resolve(env['MERIDIAN_CACHE'] ?? join(isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'meridian'));
}

/** Names a folder of the cache by what it is made from: other pins, another folder. */
export function fingerprint(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 12);
}

export function sha256Of(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/**
 * Fills `folder` whole or not at all: `fill` works in a folder beside it, which takes its name when everything is there.
 * An interrupted one leaves nothing that could be taken for the tool.
 */
export async function fillFolder(folder: string, fill: (partial: string) => Promise<void>): Promise<void> {
  mkdirSync(cacheFolder(), { recursive: true });
  const partial = mkdtempSync(join(cacheFolder(), PARTIAL));
  try {
    await fill(partial);
    rmSync(folder, { recursive: true, force: true });
    renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/** Removes what interrupted installations left half done; for whoever holds the installation's lock. */
export function removePartialFolders(): void {
  if (!existsSync(cacheFolder())) return;
  for (const name of readdirSync(cacheFolder()).filter((entry) => entry.startsWith(PARTIAL))) {
    rmSync(join(cacheFolder(), name), { recursive: true, force: true, maxRetries: 3 });
  }
}
