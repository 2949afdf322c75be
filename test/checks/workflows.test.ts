import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { actionlint } from '../../infra/local/toolchain/actionlint';
import { runCheck } from './run-check';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly uses?: string;
  readonly steps?: readonly Step[];
  readonly permissions?: Readonly<Record<string, string>>;
  readonly environment?: string;
  readonly needs?: string;
  readonly 'timeout-minutes'?: number;
}

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const ROOT = join(__dirname, '..', '..');
const FOLDER = join(ROOT, '.github', 'workflows');
const FILES = readdirSync(FOLDER);
const textOf = (file: string) => readFileSync(join(FOLDER, file), 'utf8');
const workflowOf = (file: string) => parse(textOf(file)) as Workflow;
const jobs = FILES.flatMap((file) => Object.entries(workflowOf(file).jobs).map(([name, job]) => [`${file} ${name}`, job] as const));

/** A workflow with what the linters are for: a typing error, and a title that anybody may write run by the shell. */
const BROKEN = `on: pull_request_target
jobs:
  greet:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v6
      - run: echo "\${{ github.event.pull_request.titel }} \${{ github.event.pull_request.title }}"
`;

describe('The workflows in .github', () => {
  let scratch: string;

  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'meridian-workflows-'));
    mkdirSync(join(scratch, '.github', 'workflows'), { recursive: true });
    writeFileSync(join(scratch, '.github', 'workflows', 'broken.yml'), BROKEN);
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  test('S2.26 actionlint finds nothing in them, and would find what is wrong', async () => {
    expect(await lint(ROOT, FILES)).toEqual([]);
    expect(await lint(scratch, ['broken.yml'])).toContainEqual(expect.objectContaining({ kind: 'expression' }));
  });

  test('S2.26 zizmor, as strict as it can be, finds nothing in them, and would find what is dangerous', async () => {
    const audits = async (cwd: string) => {
      const { stdout, stderr } = await runCheck('zizmor', ['--offline', '--no-progress', '--persona', 'auditor', '--format', 'json', '.github/workflows'], cwd);
      if (!stdout.startsWith('[')) throw new Error(`zizmor printed no report: ${stderr}`);
      return (JSON.parse(stdout) as readonly { readonly ident: string }[]).map(({ ident }) => ident);
    };

    expect(await audits(ROOT)).toEqual([]);
    expect(await audits(scratch)).toEqual(expect.arrayContaining(['dangerous-triggers', 'template-injection', 'unpinned-uses', 'excessive-permissions', 'artipacked']));
  });

  test('S2.26 every action is of one commit, with the version that it is beside it, the same everywhere', () => {
    const lines = [...FILES.map(textOf), readFileSync(join(ROOT, 'docs', 'upgrading.md'), 'utf8')].flatMap((text) => [...text.matchAll(/uses: (.+)/g)].map(([, used = '']) => used));
    const pinned = lines.filter((used) => !used.startsWith('./'));

    expect(pinned.length).toBeGreaterThan(0);
    for (const used of pinned) expect(used).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    const names = pinned.map((used) => used.split('@')[0]);
    expect(new Set(pinned).size).toBe(new Set(names).size);
  });

  test('S2.21 a workflow may do nothing but what its jobs ask for: to read the code, and a token where a role is assumed', () => {
    for (const file of FILES) expect([file, workflowOf(file).permissions]).toEqual([file, {}]);
    for (const [name, job] of jobs) {
      const assumes = (job.steps ?? []).some(({ uses }) => uses?.startsWith('aws-actions/') === true);
      expect([name, job.permissions]).toEqual([name, assumes ? { contents: 'read', 'id-token': 'write' } : { contents: 'read' }]);
    }
  });

  test('S2.21 no key of AWS is kept: credentials are those of a role, behind an environment', () => {
    const steps = jobs.flatMap(([name, job]) => (job.steps ?? []).map((step) => ({ name, job, step })));
    const assuming = steps.filter(({ step }) => step.uses?.startsWith('aws-actions/') === true);

    expect(assuming.length).toBeGreaterThan(0);
    for (const { name, job, step } of assuming) {
      expect([name, Object.keys(step.with ?? {}).sort()]).toEqual([name, ['aws-region', 'role-to-assume']]);
      expect([name, job.environment]).toEqual([name, expect.any(String)]);
    }
    for (const file of FILES) expect(textOf(file)).not.toMatch(/access[-_]key|secret[-_]access|session[-_]token/i);
  });

  test('S2.26 main is deployed after its tests, by the one command, and a pull request never', () => {
    const { on, jobs: deploying } = workflowOf('deploy.yml');
    const commands = Object.values(deploying).flatMap(({ steps }) => (steps ?? []).flatMap(({ run }) => run ?? []));

    expect(on).toEqual({ push: { branches: ['main'] } });
    expect(deploying['test']?.uses).toBe('./.github/workflows/ci.yml');
    expect(deploying['deploy']).toMatchObject({ needs: 'test', environment: 'production', concurrency: { 'cancel-in-progress': false } });
    expect(commands).toEqual(['npm ci', 'npx meridian deploy --target aws --yes']);
    const elsewhere = FILES.filter((file) => file !== 'deploy.yml').map(textOf).join('');
    expect(elsewhere).not.toMatch(/deploy --target aws --yes/);
  });

  test("S1.10 a pull request is tested by the README's command, replayed and synthesised; every job ends", () => {
    const run = (file: string) => Object.values(workflowOf(file).jobs).flatMap(({ steps }) => (steps ?? []).flatMap(({ run }) => run ?? []));

    expect(run('ci.yml')).toContain('npm cit');
    expect(readFileSync(join(ROOT, 'README.md'), 'utf8')).toMatch(/^npm cit$/m);
    expect(run('replay.yml')).toContain('npx meridian replay --histories test/replay/histories');
    expect(run('infrastructure.yml')).toContain('npm ci && npm run synth');
    for (const file of ['ci.yml', 'replay.yml', 'infrastructure.yml']) expect(workflowOf(file).on).toHaveProperty('pull_request');
    for (const [name, job] of jobs.filter(([, { uses }]) => uses === undefined)) expect([name, job['timeout-minutes']]).toEqual([name, expect.any(Number)]);
  });
});

/** What actionlint finds, by itself: not with a shellcheck or pyflakes that a machine may have. */
async function lint(root: string, files: readonly string[]): Promise<readonly unknown[]> {
  const program = process.env['MERIDIAN_ACTIONLINT'] ?? (await actionlint.locate())?.path;
  if (program === undefined) throw new Error('actionlint is missing: `npm test` installs it');
  const args = ['-format', '{{json .}}', '-shellcheck=', '-pyflakes=', ...files.map((file) => join(root, '.github', 'workflows', file))];
  return await new Promise((resolve, reject) => {
    execFile(program, args, { cwd: root, timeout: 60_000 }, (error, stdout, stderr) => {
      // 1 says that something was found.
      if (error !== null && error.code !== 1) reject(new Error(`actionlint failed: ${stderr}`));
      else resolve(JSON.parse(stdout) as readonly unknown[]);
    });
  });
}
