import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DeploymentError } from './deployment-error';
import { hashFiles, sourceFiles } from './sources';
import type { StackName } from './stacks';
import type { Template } from './template';

const ROOT = join(__dirname, '..', '..');
const APP = join(ROOT, 'infra', 'aws', 'app.ts');
const SYNTHESIS_TIMEOUT_MS = 120_000; // 4 s on a quiet machine
const ENDING = '.template.json';

/** The template of each stack, by the stack's name. */
export type Templates = Readonly<Partial<Record<StackName, Template>>>;

/**
 * The templates that `infra/aws` synthesises, the same for every target: what `npm run synth` writes to `cdk.out`. Kept in
 * `home` by a hash of all that they are made from, since synthesis takes seconds.
 * @param note - told when they have to be made
 * @throws DeploymentError with the synthesis' last lines when it fails
 */
export async function synthesise(home: string, note: (message: string) => void): Promise<Templates> {
  const folder = join(home, 'template');
  const name = hashOfSources();
  const kept = readTemplates(join(folder, name));
  if (kept !== undefined) return kept;

  note('Synthesising the infrastructure templates');
  mkdirSync(folder, { recursive: true });
  const outdir = mkdtempSync(join(folder, 'synthesis-'));
  try {
    await runApp(outdir);
    moveInto(outdir, join(folder, name));
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
  for (const old of readdirSync(folder).filter((each) => each !== name && !each.startsWith('synthesis-'))) {
    rmSync(join(folder, old), { recursive: true, force: true });
  }
  const made = readTemplates(join(folder, name));
  if (made === undefined)
    throw new DeploymentError(`The templates in ${join(folder, name)} vanished while they were read: run the same command again`);
  return made;
}

/** The template of one stack. @throws DeploymentError when the app makes no such stack */
export function templateOf(templates: Templates, stack: StackName): Template {
  const template = templates[stack];
  if (template === undefined) throw new DeploymentError(`${APP} makes no stack ${stack}: it makes ${Object.keys(templates).join(', ')}`);
  return template;
}

async function runApp(outdir: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const options = {
      cwd: ROOT,
      env: { ...process.env, CDK_OUTDIR: outdir },
      timeout: SYNTHESIS_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    } as const;
    execFile(process.execPath, [require.resolve('tsx/cli'), APP], options, (error, stdout, stderr) => {
      if (error === null) return resolve();
      const last = `${stdout}\n${stderr}`.trim().split('\n').slice(-12).join('\n');
      const reason = error.killed === true ? `not done after ${SYNTHESIS_TIMEOUT_MS / 1_000} seconds` : `exit code ${String(error.code)}`;
      reject(new DeploymentError(`The templates cannot be synthesised from ${APP} (${reason}). Its last lines:\n${last}`));
    });
  });
}

/** A synthesis that ended sooner, of the same sources, is as good. */
function moveInto(made: string, folder: string): void {
  try {
    renameSync(made, folder);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

function hashOfSources(): string {
  const sources = ['infra/aws', 'pipelines', 'domain'].flatMap((folder) =>
    sourceFiles(join(ROOT, folder), '').map(({ name, content }) => ({ name: `${folder}/${name}`, content })),
  );
  // Another release of the CDK may write other templates.
  return hashFiles([...sources, { name: 'aws-cdk-lib', content: readFileSync(require.resolve('aws-cdk-lib/package.json')) }]);
}

function readTemplates(folder: string): Templates | undefined {
  try {
    const files = readdirSync(folder).filter((file) => file.endsWith(ENDING));
    if (files.length === 0) return undefined;
    return Object.fromEntries(
      files.map((file) => [file.slice(0, -ENDING.length), JSON.parse(readFileSync(join(folder, file), 'utf8')) as Template]),
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
