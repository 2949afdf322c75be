import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Progress } from '../progress';
import { cacheFolder, fillFolder } from './cache';
import { CommandFailed, onPath, outputOf, run } from './command';
import { canInstallPackages, installPackages, missingTool } from './debian';
import type { Found, Tool } from './tool';

const MAJOR = 15;
const PACKAGES = [`postgresql-${MAJOR}`, `postgresql-${MAJOR}-postgis-3`];
const NOTHING_BUT_DEPENDENCIES = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map((kind) => `--no-${kind}`);
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
      keepDebianFromStartingACluster();
      await installPackages(PACKAGES, progress);
    } else if (onPath('apt-get') !== undefined && onPath('dpkg') !== undefined) {
      await unpackPackages(progress).catch((error: unknown) => {
        if (!(error instanceof CommandFailed)) throw error;
        throw new CommandFailed(`${missingTool(postgresServer.title, PACKAGES).message}\n${error.message}`);
      });
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
  const env = bin.startsWith(unpacked()) ? unpackedEnvironment() : {};
  const version = /(\d+)(\.\d+)?/.exec((await outputOf(join(bin, 'postgres'), ['--version'], env)) ?? '');
  if (version === null || Number(version[1]) < MAJOR) return undefined;
  const major = version[1] ?? '';
  const shares = [join(bin, '..', '..', '..', '..', 'share', 'postgresql', major), join(bin, '..', 'share'), join(bin, '..', 'share', 'postgresql')];
  const postgis = shares.some((share) => existsSync(join(share, 'extension', 'postgis.control')));
  return postgis ? { version: version[0], path: bin, env } : undefined;
}

/** Without root: the distribution's packages, with what the machine lacks of their dependencies, unpacked into the cache. */
async function unpackPackages(progress: Progress): Promise<void> {
  progress.note(`Fetching ${PACKAGES.join(', ')} into the cache`);
  await fillFolder(unpacked(), async (partial) => {
    const { stdout } = await run('apt-cache', ['depends', '--recurse', ...NOTHING_BUT_DEPENDENCIES, ...PACKAGES], { timeoutMs: 60_000 });
    const { stdout: installedLines } = await run('dpkg-query', ['-W', '-f=${Package} ${db:Status-Status}\\n'], { timeoutMs: 60_000 });
    const installed = new Set(installedLines.split('\n').filter((line) => line.endsWith(' installed')).map((line) => line.split(' ')[0]));
    const wanted = new Set(stdout.split('\n').filter((line) => /^[a-z0-9]/.test(line)));
    const missing = [...wanted].filter((name) => PACKAGES.includes(name) || !installed.has(name));
    // Of alternative dependencies some exist under no archive: only what can be shown can be fetched.
    const { stdout: shown } = await run('apt-cache', ['show', '--no-all-versions', ...missing], { timeoutMs: 60_000 });
    const fetchable = [...shown.matchAll(/^Package: (\S+)$/gm)].map(([, name]) => name ?? '');
    let fetched = 0;
    await run('apt-get', ['-o', 'Acquire::Retries=3', 'download', ...new Set(fetchable)], {
      cwd: partial,
      timeoutMs: DOWNLOAD_LIMIT_MS,
      onLine: (line) => {
        if (line.startsWith('Get:')) progress.advance('postgres', (fetched += 1), fetchable.length, 'packages');
      },
    });
    for (const file of readdirSync(partial).filter((name) => name.endsWith('.deb'))) {
      await run('dpkg', ['-x', join(partial, file), partial], { timeoutMs: 60_000 });
      rmSync(join(partial, file));
    }
    // A package's installation would choose among PostGIS versions; here there is one.
    const extensions = join(partial, 'usr', 'share', 'postgresql', String(MAJOR), 'extension');
    for (const control of readdirSync(extensions).filter((name) => name.endsWith('-3.control'))) {
      symlinkSync(control, join(extensions, control.replace(/-3\.control$/, '.control')));
    }
  });
}

/** PostgreSQL finds its own files relative to itself; its libraries and PROJ's data need to be told. */
function unpackedEnvironment(): Readonly<Record<string, string>> {
  const libraries = join(unpacked(), 'usr', 'lib');
  const folders = readdirSync(libraries)
    .filter((name) => name.includes('-linux-'))
    // BLAS and LAPACK are found through links that only a package's installation makes.
    .flatMap((name) => [join(libraries, name), join(unpacked(), 'lib', name), join(libraries, name, 'blas'), join(libraries, name, 'lapack')]);
  const projData = join(unpacked(), 'usr', 'share', 'proj');
  return { LD_LIBRARY_PATH: folders.join(':'), ...(existsSync(projData) ? { PROJ_DATA: projData, PROJ_LIB: projData } : {}) };
}

/** Debian's package makes and starts a cluster of its own when installed, unless told otherwise before. */
function keepDebianFromStartingACluster(): void {
  const folder = '/etc/postgresql-common';
  const settings = join(folder, 'createcluster.conf');
  if (existsSync(settings)) return;
  mkdirSync(folder, { recursive: true });
  writeFileSync(settings, '# Written by Meridian, which needs the programs only.\ncreate_main_cluster = false\n');
}

function unpacked(): string {
  return join(cacheFolder(), `postgresql-${MAJOR}-postgis`);
}
