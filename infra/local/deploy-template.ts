import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hashFiles, sourceFiles } from './deploy-sources';
import type { Progress } from './progress';
import { run } from './toolchain/command';

const ROOT = join(__dirname, '..', '..');
const SYNTHESIS_TIMEOUT_MS = 120_000; // 2 s on a quiet machine

/** What this module reads of a CloudFormation template. */
export interface Template {
  readonly Parameters?: Readonly<Record<string, { readonly Default?: string | number }>>;
  readonly Conditions?: Readonly<Record<string, unknown>>;
  readonly Resources: Readonly<
    Record<string, { readonly Type: string; readonly Condition?: string; readonly Properties?: Readonly<Record<string, unknown>> }>
  >;
}

/**
 * The template that `infra/aws` synthesises: the one that AWS gets too. Kept in the stack's home by a hash of all that it is
 * made from, since synthesis takes seconds.
 * @throws StackError with the synthesis' last lines when it fails
 */
export async function synthesise(home: string, progress: Progress): Promise<Template> {
  const folder = join(home, 'template');
  const name = `${hashOfSources()}.json`;
  const kept = readTemplate(join(folder, name));
  if (kept !== undefined) return kept;

  progress.note('Synthesising the infrastructure template');
  mkdirSync(folder, { recursive: true });
  const outdir = mkdtempSync(join(folder, 'synthesis-'));
  try {
    await run(process.execPath, [require.resolve('tsx/cli'), join(ROOT, 'infra', 'aws', 'app.ts')], {
      cwd: ROOT,
      env: { CDK_OUTDIR: outdir },
      timeoutMs: SYNTHESIS_TIMEOUT_MS,
    });
    renameSync(join(outdir, 'Meridian.template.json'), join(folder, name));
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
  for (const old of readdirSync(folder).filter((file) => file.endsWith('.json') && file !== name))
    rmSync(join(folder, old), { force: true });
  const made = readTemplate(join(folder, name));
  if (made === undefined)
    throw new Error(`The template ${join(folder, name)} vanished while it was read: run the same command again`);
  return made;
}

function hashOfSources(): string {
  const sources = ['infra/aws', 'pipelines', 'domain'].flatMap((folder) =>
    sourceFiles(join(ROOT, folder), '.ts').map(({ name, content }) => ({ name: `${folder}/${name}`, content })),
  );
  // Another release of the CDK may write another template.
  return hashFiles([
    ...sources,
    { name: 'aws-cdk-lib', content: readFileSync(require.resolve('aws-cdk-lib/package.json')) },
  ]);
}

function readTemplate(path: string): Template | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Template;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
