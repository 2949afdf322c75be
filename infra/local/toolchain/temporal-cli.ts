import { join } from 'node:path';
import { StackError } from '../stack-error';
import { cacheFolder } from './cache';
import { isExecutable, onPath, outputOf } from './command';
import { buildWithGo } from './go-build';
import type { Found, Tool } from './tool';

/** Later releases have replace directives in go.mod and cannot be installed by `go install`. */
const VERSION = 'v1.5.1';
const PACKAGE = `github.com/temporalio/cli/cmd/temporal@${VERSION}`;

/** The `temporal` executable: the dev server with its Web UI, and the CLI. */
export const temporalCli: Tool = {
  name: 'temporal',
  title: `Temporal CLI ${VERSION} with its server (built by Go)`,
  downloadMb: 300,
  diskMb: 160,
  seconds: 300,

  async locate() {
    for (const path of [join(folder(), 'temporal'), onPath('temporal')]) {
      const found = path === undefined ? undefined : await describe(path);
      if (found !== undefined) return found;
    }
    return undefined;
  },

  async install(progress) {
    let packages = 0;
    await buildWithGo(PACKAGE, folder(), 'Neither `temporal` nor Go is on PATH: install one of them (Temporal CLI 1.5 or later; Go 1.25 or later, to build it), then run this again', () =>
      // Go says a line for each module it fetches and each package it compiles: there are some 2,000.
      progress.advance('temporal', Math.min((packages += 1), 2_000), 2_000, 'packages'),
    );
    const found = await describe(join(folder(), 'temporal'));
    if (found === undefined) throw new StackError(`${PACKAGE} was built, but ${join(folder(), 'temporal')} does not run`);
    return found;
  },
};

function folder(): string {
  return join(cacheFolder(), `temporal-${VERSION}`);
}

async function describe(path: string): Promise<Found | undefined> {
  if (!isExecutable(path)) return undefined;
  // `go install` gives no version number to the CLI itself; the server's is what counts.
  const version = /Server (\d+\.\d+\.\d+)/.exec((await outputOf(path, ['--version'])) ?? '')?.[1];
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number);
  return version !== undefined && (major > 1 || minor >= 29) ? { version, path, env: {} } : undefined;
}
