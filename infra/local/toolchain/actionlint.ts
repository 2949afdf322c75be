import { join } from 'node:path';
import { StackError } from '../stack-error';
import { cacheFolder } from './cache';
import { isExecutable, outputOf } from './command';
import { buildWithGo } from './go-build';
import type { Found, Tool } from './tool';

const VERSION = 'v1.7.12';
const PACKAGE = `github.com/rhysd/actionlint/cmd/actionlint@${VERSION}`;

/** What checks the workflows of GitHub Actions; the tests alone need it. */
export const actionlint: Tool = {
  name: 'actionlint',
  title: `actionlint ${VERSION} (built by Go)`,
  downloadMb: 5,
  diskMb: 9,
  seconds: 15,

  async locate(): Promise<Found | undefined> {
    const path = executable();
    if (!isExecutable(path) || (await outputOf(path, ['-version'])) === undefined) return undefined;
    return { version: VERSION, path, env: {} };
  },

  async install(): Promise<Found> {
    await buildWithGo(PACKAGE, folder(), 'Go is not on PATH: install Go 1.25 or later, then run this again', () => undefined);
    const found = await actionlint.locate();
    if (found === undefined) throw new StackError(`${PACKAGE} was built, but ${executable()} does not run`);
    return found;
  },
};

function folder(): string {
  return join(cacheFolder(), `actionlint-${VERSION}`);
}

function executable(): string {
  return join(folder(), 'actionlint');
}
