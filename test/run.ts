/**
 * The whole test suite: type check, fences, jest, pytest of the jobs. Sets up what it needs, shows what runs, and ends with
 * one line that counts everything: `N passed, N failed`. What uses one core runs beside other such steps, and is shown when it has ended.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testEnvironment } from './support/toolchain-environment';

interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Step {
  readonly name: string;
  readonly command: readonly string[];
  /** Default: the project's root. */
  readonly cwd?: string;
  /** Reads the step's own report; undefined: the step counts as one test. */
  readonly tally?: (scratch: string) => Promise<Tally>;
}

const ROOT = join(__dirname, '..');
const NODE_BIN = join(ROOT, 'node_modules', '.bin');

/** Phases one after another, each of lanes side by side, each of steps one after another. */
function phases(scratch: string, python: string): readonly (readonly (readonly Step[])[])[] {
  const checks: readonly Step[] = [
    { name: 'types', command: [join(NODE_BIN, 'tsc'), '--noEmit'] },
    { name: 'lint', command: [join(NODE_BIN, 'eslint'), '.'] },
    {
      name: 'fences',
      command: [join(NODE_BIN, 'depcruise'), '--config', '.dependency-cruiser.cjs', 'domain', 'pipelines', 'workflows', 'activities', 'sql', 'worker', 'cli', 'edge', 'infra', 'bench'],
    },
  ];
  const jest: Step = {
    name: 'jest',
    command: [join(NODE_BIN, 'jest'), '--json', `--outputFile=${join(scratch, 'jest.json')}`, ...process.argv.slice(2)],
    tally: async () => {
      const report = JSON.parse(await readFile(join(scratch, 'jest.json'), 'utf8')) as {
        numPassedTests: number;
        numFailedTests: number;
        numPendingTests: number;
        numRuntimeErrorTestSuites: number;
      };
      return {
        passed: report.numPassedTests,
        failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
        skipped: report.numPendingTests,
      };
    },
  };
  return [[checks, [pytest(join('infra', 'local', 'aws'), python, scratch), pytest('jobs', python, scratch)]], [[jest]]];
}

/** The Python tests below a folder, by its own settings. */
function pytest(folder: string, python: string, scratch: string): Step {
  const report = join(scratch, `${folder.replaceAll('/', '-')}.xml`);
  return {
    name: `pytest ${folder}`,
    command: [python, '-m', 'pytest', '-q', `--junitxml=${report}`, 'tests'],
    cwd: join(ROOT, folder),
    tally: async () => {
      const xml = await readFile(report, 'utf8');
      const count = (name: string) => Number(new RegExp(`${name}="(\\d+)"`).exec(xml)?.[1] ?? 0);
      const failed = count('failures') + count('errors');
      return { passed: count('tests') - failed - count('skipped'), failed, skipped: count('skipped') };
    },
  };
}

async function main(): Promise<void> {
  const { env, python } = await testEnvironment();
  const scratch = await mkdtemp(join(tmpdir(), 'meridian-test-'));
  const total = { passed: 0, failed: 0, skipped: 0 };
  const runLane = async (lane: readonly Step[], isAlone: boolean) => {
    for (const step of lane) {
      const { passed, failed, skipped } = await runStep(step, env, scratch, isAlone);
      total.passed += passed;
      total.failed += failed;
      total.skipped += skipped;
    }
  };
  try {
    for (const lanes of phases(scratch, python)) await Promise.all(lanes.map((lane) => runLane(lane, lanes.length === 1)));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}\n`);
  process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
}

/** @param isAlone - its output is shown as it comes, not at its end */
async function runStep(step: Step, env: NodeJS.ProcessEnv, scratch: string, isAlone: boolean): Promise<Tally> {
  const startedAt = Date.now();
  process.stdout.write(`\n== ${step.name}${isAlone ? '' : ' begins'}\n`);
  const { exitCode, output } = await run(step.command, step.cwd ?? ROOT, env, isAlone);
  const own: Tally = { passed: exitCode === 0 ? 1 : 0, failed: exitCode === 0 ? 0 : 1, skipped: 0 };
  // A runner that died left no report: that is one failure, never nothing.
  const tally = step.tally === undefined ? own : await step.tally(scratch).catch(() => ({ passed: 0, failed: 1, skipped: 0 }));
  const failed = exitCode !== 0 && tally.failed === 0 ? 1 : tally.failed;
  process.stdout.write(`${output}== ${step.name}: ${tally.passed} passed, ${failed} failed in ${Math.round((Date.now() - startedAt) / 1000)} s\n`);
  return { ...tally, failed };
}

function run([file = '', ...args]: readonly string[], cwd: string, env: NodeJS.ProcessEnv, isShown: boolean): Promise<{ readonly exitCode: number; readonly output: string }> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', isShown ? 'inherit' : 'pipe', isShown ? 'inherit' : 'pipe'] });
    const said: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (bytes: Buffer) => said.push(bytes));
    const end = (exitCode: number) => resolve({ exitCode, output: Buffer.concat(said).toString() });
    child.on('error', (error) => {
      process.stderr.write(`${file}: ${error.message}\n`);
      end(127);
    });
    child.on('close', (code) => end(code ?? 1));
  });
}

void main();
