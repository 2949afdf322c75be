import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Progress } from '../progress';
import { StackError } from '../stack-error';
import { cacheFolder, fingerprint } from './cache';
import { isExecutable, onPath, outputOf, run } from './command';
import { canInstallPackages, installPackages, missingTool } from './debian';
import type { Found, Tool } from './tool';

const REQUIREMENTS = join(__dirname, '..', 'aws', 'requirements.txt');
const LEAST_MINOR = 11;
/** PySpark 3.5 does not know of later ones. */
const GREATEST_MINOR = 12;
const INSTALL_LIMIT_MS = 15 * 60_000;

/** A private virtual environment with the emulator, PySpark, Sedona and pgpq, as `infra/local/aws/requirements.txt` pins them. */
export const python: Tool = {
  name: 'python',
  title: 'Python environment (local AWS, PySpark 3.5, Sedona)',
  downloadMb: 520,
  diskMb: 1_100,
  seconds: 90,

  async locate() {
    const path = executable(folder());
    if (!isExecutable(path)) return undefined;
    const version = await outputOf(path, ['--version']);
    return version === undefined ? undefined : { version, path, env: {} };
  },

  async install(progress) {
    const base = await basePython(progress);
    progress.note('Installing the Python environment');
    // A virtual environment cannot be moved: it is made in place, and counts from when its last link is there. What an interrupted
    // one had downloaded is in pip's own cache.
    await run(base, ['-m', 'venv', '--clear', folder()], { timeoutMs: INSTALL_LIMIT_MS });
    let packages = 0;
    await run(join(folder(), 'bin', 'python'), ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--progress-bar', 'off', '-r', REQUIREMENTS], {
      timeoutMs: INSTALL_LIMIT_MS,
      onLine: (line) => {
        if (line.startsWith('Collecting')) progress.advance('python', (packages += 1), requirementCount(), 'packages');
      },
    });
    symlinkSync('python', executable(folder()));
    const found: Found | undefined = await python.locate();
    if (found === undefined) throw new StackError(`The Python environment in ${folder()} does not run: delete that folder and run this again`);
    return found;
  },
};

/** The last thing that an installation makes. */
function executable(venv: string): string {
  return join(venv, 'bin', 'meridian-python');
}

function folder(): string {
  return join(cacheFolder(), `python-${fingerprint(readFileSync(REQUIREMENTS, 'utf8'))}`);
}

function requirementCount(): number {
  return readFileSync(REQUIREMENTS, 'utf8').split('\n').filter((line) => line.includes('==')).length;
}

/** A Python with all that a virtual environment is made from: Debian's lacks `ensurepip` until its venv package is there. */
async function basePython(progress: Progress): Promise<string> {
  const known = await findPython();
  if (known !== undefined) return known;
  const wanted = `Python 3.${LEAST_MINOR} to 3.${GREATEST_MINOR} with its venv module`;
  if (!canInstallPackages()) throw missingTool(wanted, ['python3', 'python3-venv']);
  await installPackages(['python3', 'python3-venv'], progress);
  const installed = await findPython();
  if (installed === undefined) throw missingTool(wanted, ['python3', 'python3-venv']);
  return installed;
}

async function findPython(): Promise<string | undefined> {
  for (const name of ['python3', 'python3.11', 'python3.12', '/usr/bin/python3']) {
    const path = name.startsWith('/') ? name : onPath(name);
    if (path === undefined) continue;
    const minor = /^3 (\d+)$/.exec((await outputOf(path, ['-c', 'import ensurepip, sys, venv; print(*sys.version_info[:2])'])) ?? '')?.[1];
    if (minor !== undefined && Number(minor) >= LEAST_MINOR && Number(minor) <= GREATEST_MINOR) return path;
  }
  return undefined;
}
