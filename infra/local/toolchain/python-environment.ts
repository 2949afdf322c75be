import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Progress } from '../progress';
import { StackError } from '../stack-error';
import { cacheFolder, fingerprint } from './cache';
import { isExecutable, onPath, outputOf, run } from './command';
import { canInstallPackages, installPackages, missingTool } from './debian';
import type { Found, Tool } from './tool';

const LEAST_MINOR = 11;
/** PySpark 3.5 does not know of later ones. */
const GREATEST_MINOR = 12;
const INSTALL_LIMIT_MS = 15 * 60_000;

/** A private virtual environment with what `requirements` pins; found by those pins, so that others are another environment. */
export function pythonEnvironment(requirements: string, about: Pick<Tool, 'name' | 'title' | 'downloadMb' | 'diskMb' | 'seconds'>): Tool {
  const folder = () => join(cacheFolder(), `${about.name}-${fingerprint(readFileSync(requirements, 'utf8'))}`);
  const locate = async (): Promise<Found | undefined> => {
    const path = executable(folder());
    if (!isExecutable(path)) return undefined;
    const version = await outputOf(path, ['--version']);
    return version === undefined ? undefined : { version, path, env: {} };
  };
  const install = async (progress: Progress): Promise<Found> => {
    const base = await basePython(progress);
    progress.note(`Installing: ${about.title}`);
    // A virtual environment cannot be moved: it is made in place, and counts from when its last link is there. What an interrupted
    // one had downloaded is in pip's own cache.
    await run(base, ['-m', 'venv', '--clear', folder()], { timeoutMs: INSTALL_LIMIT_MS });
    const total = requirementCount(requirements);
    let packages = 0;
    await run(join(folder(), 'bin', 'python'), ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--progress-bar', 'off', '-r', requirements], {
      timeoutMs: INSTALL_LIMIT_MS,
      onLine: (line) => {
        if (line.startsWith('Collecting')) progress.advance(about.name, (packages += 1), total, 'packages');
      },
    });
    symlinkSync('python', executable(folder()));
    const found = await locate();
    if (found === undefined) throw new StackError(`The Python environment in ${folder()} does not run: delete that folder and run this again`);
    return found;
  };
  return { ...about, locate, install };
}

/** The last thing that an installation makes. */
function executable(venv: string): string {
  return join(venv, 'bin', 'meridian-python');
}

function requirementCount(requirements: string): number {
  return readFileSync(requirements, 'utf8').split('\n').filter((line) => line.includes('==')).length;
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
