import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataConverter } from '@temporalio/common';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const ROOT = join(__dirname, '..');
/** All that workflows may import at run time: the fences see to it. */
const SOURCES = ['workflows', 'domain'];

/** Tells a replay what each scheduled activity is given. @see workflows/scheduled-inputs.ts */
export const SCHEDULED_INPUTS_MODULE = join(ROOT, 'workflows', 'scheduled-inputs.ts');

/**
 * The workflow bundle, built once for each state of its sources and kept in `cacheDir`.
 * @param dataConverter - the worker's own: a workflow's failures are converted inside the bundle
 * @param interceptorModules - of workflows; a worker has none
 */
export async function workflowBundle(
  cacheDir: string,
  { failureConverterPath }: DataConverter = {},
  interceptorModules: readonly string[] = [],
): Promise<{ codePath: string }> {
  const codePath = join(cacheDir, `workflows-${await sourcesHash(failureConverterPath, interceptorModules)}.js`);
  try {
    await readFile(codePath, { flag: 'r' });
    return { codePath };
  } catch {
    const { code } = await bundleWorkflowCode({
      workflowsPath: join(ROOT, 'workflows', 'index.ts'),
      workflowInterceptorModules: [...interceptorModules],
      logger: new DefaultLogger('WARN'),
      ...(failureConverterPath === undefined ? {} : { failureConverterPath }),
    });
    await mkdir(cacheDir, { recursive: true });
    // Two workers may build at once: a reader never sees half a file.
    const partial = `${codePath}.${process.pid}`;
    await writeFile(partial, code);
    await rename(partial, codePath);
    return { codePath };
  }
}

async function sourcesHash(failureConverterPath: string | undefined, interceptorModules: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(await readFile(join(ROOT, 'package-lock.json'))).update(interceptorModules.join());
  if (failureConverterPath !== undefined) hash.update(await readFile(failureConverterPath));
  for (const folder of SOURCES) {
    for (const name of (await readdir(join(ROOT, folder), { recursive: true })).sort()) {
      if (name.endsWith('.ts')) hash.update(name).update(await readFile(join(ROOT, folder, name)));
    }
  }
  return hash.digest('hex').slice(0, 16);
}
