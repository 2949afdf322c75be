import { StackError } from '../stack-error';
import { fillFolder } from './cache';
import { onPath, run } from './command';

/** Six times what the largest, Temporal, takes on two idle cores. */
const BUILD_LIMIT_MS = 30 * 60_000;

/**
 * Builds a Go program of one version into `folder`, whole or not at all.
 * @param program - its package with the version, as `go install` takes it
 * @param withoutGo - what to say where there is no Go
 * @param onLine - told at each line of Go, a module or a package each
 */
export async function buildWithGo(program: string, folder: string, withoutGo: string, onLine: () => void): Promise<void> {
  const go = onPath('go');
  if (go === undefined) throw new StackError(withoutGo);
  await fillFolder(folder, async (partial) => {
    await run(go, ['install', '-v', program], { env: { GOBIN: partial, GOFLAGS: '-trimpath' }, timeoutMs: BUILD_LIMIT_MS, onLine });
  });
}
