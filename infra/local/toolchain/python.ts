import { readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { StackError } from '../stack-error';
import { cacheFolder, fillFolder, fingerprint } from './cache';
import { isExecutable, onPath, outputOf, run } from './command';
import type { Found, Tool } from './tool';

const REQUIREMENTS = join(__dirname, '..', 'aws', 'requirements.txt');
const LEAST_MINOR = 11;
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
    const base = await basePython();
    progress.note('Installing the Python environment');
    // A virtual environment cannot be moved: it is made in place, and counts from when its mark is there.
    await fillFolder(`${folder()}.wheels`, async (wheels) => {
      let packages = 0;
      await run(base, ['-m', 'pip', 'wheel', '--progress-bar', 'off', '-r', REQUIREMENTS, '-w', wheels], {
        timeoutMs: INSTALL_LIMIT_MS,
        onLine: (line) => {
          if (/^(Collecting|Saved|Building)/.test(line)) progress.advance('python', (packages += 1), undefined, 'packages');
        },
      });
    });
    await run(base, ['-m', 'venv', '--clear', folder()], { timeoutMs: INSTALL_LIMIT_MS });
    await run(join(folder(), 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--no-index', '--find-links', `${folder()}.wheels`, '-r', REQUIREMENTS], {
      timeoutMs: INSTALL_LIMIT_MS,
    });
    symlinkSync('python', executable(folder()));
    rmSync(`${folder()}.wheels`, { recursive: true, force: true });
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

async function basePython(): Promise<string> {
  for (const name of ['python3', 'python3.13', 'python3.12', 'python3.11']) {
    const path = onPath(name);
    const version = path === undefined ? undefined : /Python 3\.(\d+)/.exec((await outputOf(path, ['--version'])) ?? '');
    if (path !== undefined && version !== undefined && version !== null && Number(version[1]) >= LEAST_MINOR) return path;
  }
  throw new StackError(`No Python 3.${LEAST_MINOR} or later is on PATH: install it (with its venv module), then run this again`);
}
