import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheFolder, fillFolder } from './cache';
import { onPath, outputOf, run } from './command';
import { canInstallPackages, installPackages, missingTool } from './debian';
import type { Found, Tool } from './tool';

const MAJOR = 15;
const PACKAGES = [`postgresql-${MAJOR}`, `postgresql-${MAJOR}-postgis-3`];
const DOWNLOAD_LIMIT_MS = 10 * 60_000;

/** PostgreSQL's server binaries with PostGIS beside them. */
export const postgresServer: Tool = {
  name: 'postgres',
  title: `PostgreSQL ${MAJOR} or later with PostGIS`,
  downloadMb: 120,
  diskMb: 500,
  seconds: 60,

  async locate() {
    for (const bin of candidates()) {
      const found = await describe(bin);
      if (found !== undefined) return found;
    }
    return undefined;
  },

  async install(progress) {
    if (canInstallPackages()) {
      await installPackages(PACKAGES, progress);
    } else if (onPath('apt-get') !== undefined && onPath('dpkg') !== undefined) {
      await unpackPackages(progress.note);
    } else {
      throw missingTool(postgresServer.title, PACKAGES);
    }
    const found = await postgresServer.locate();
    if (found === undefined) throw missingTool(postgresServer.title, PACKAGES);
    return found;
  },
};

function candidates(): readonly string[] {
  const roots = ['/usr/lib/postgresql', join(unpacked(), 'usr', 'lib', 'postgresql')];
  const installed = roots.flatMap((root) =>
    existsSync(root) ? readdirSync(root).map((version) => join(root, version, 'bin')) : [],
  );
  const initdb = onPath('initdb');
  return initdb === undefined ? installed : [...installed, dirname(initdb)];
}

async function describe(bin: string): Promise<Found | undefined> {
  if (!existsSync(join(bin, 'initdb')) || !existsSync(join(bin, 'postgres'))) return undefined;
  const version = /(\d+)(\.\d+)?/.exec((await outputOf(join(bin, 'postgres'), ['--version'])) ?? '');
  if (version === null || Number(version[1]) < MAJOR) return undefined;
  const major = version[1] ?? '';
  const shares = [join(bin, '..', '..', '..', '..', 'share', 'postgresql', major), join(bin, '..', 'share'), join(bin, '..', 'share', 'postgresql')];
  const postgis = shares.some((share) => existsSync(join(share, 'extension', 'postgis.control')));
  return postgis ? { version: version[0], path: bin, env: {} } : undefined;
}

/** Without root: the distribution's packages, unpacked into the cache. */
async function unpackPackages(note: (message: string) => void): Promise<void> {
  note(`Fetching ${PACKAGES.join(', ')} into the cache`);
  await fillFolder(unpacked(), async (partial) => {
    const { stdout } = await run('apt-cache', ['depends', '--recurse', '--no-recommends', '--no-suggests', '--no-conflicts', '--no-breaks', '--no-replaces', '--no-enhances', ...PACKAGES], {
      timeoutMs: DOWNLOAD_LIMIT_MS,
    });
    const wanted = [...new Set(stdout.split('\n').filter((line) => /^[a-z0-9]/.test(line)))];
    const missing: string[] = [];
    for (const name of wanted) {
      const installed = await outputOf('dpkg-query', ['-W', '-f=${db:Status-Status}', name]);
      if (installed !== 'installed' || PACKAGES.includes(name)) missing.push(name);
    }
    await run('apt-get', ['download', ...missing], { cwd: partial, timeoutMs: DOWNLOAD_LIMIT_MS });
    for (const file of readdirSync(partial).filter((name) => name.endsWith('.deb'))) {
      await run('dpkg', ['-x', join(partial, file), partial], { timeoutMs: 60_000 });
    }
  });
}

function unpacked(): string {
  return join(cacheFolder(), `postgresql-${MAJOR}-postgis`);
}
