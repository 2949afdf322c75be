import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { pipelines } from '../../pipelines';
import { startMeridian } from './meridian-process';

const run = promisify(execFile);
let script: string;

beforeAll(async () => {
  const { code, stdout } = await startMeridian(['completion', 'bash'], process.env).finished;
  expect(code).toBe(0);
  script = stdout;
});

/** What bash offers for the last word of a line, with the script sourced as a user sources it. */
async function offered(...line: readonly string[]): Promise<readonly string[]> {
  const asked = `${script}
complete -p meridian >&2
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMPREPLY=()
_meridian
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await run('bash', ['--norc', '-euc', asked, 'bash', ...line]);
  expect(stderr.trim()).toBe('complete -o default -F _meridian meridian');
  return stdout.split('\n').filter((word) => word !== '');
}

const [pipeline] = pipelines;
const view = pipeline?.relations[0]?.view ?? '';

test('bash completes every command that the help lists, and their subcommands', async () => {
  const { stdout } = await startMeridian(['--help'], process.env).finished;
  const listed = [...stdout.matchAll(/^ {2}([a-z-]+) {2,}/gm)].map(([, name]) => name).filter((name) => name !== undefined && name !== 'help');

  expect(listed.length).toBeGreaterThan(15);
  expect(await offered('meridian', '')).toEqual(expect.arrayContaining(listed));
  expect(await offered('meridian', 'cycles', '')).toEqual(expect.arrayContaining(['list', 'show', 'cancel']));
  expect(await offered('meridian', 'sched')).toEqual(['schedules']);
});

test('bash completes options, their values, and what the declarations name', async () => {
  expect(await offered('meridian', 'rerun', '--f')).toEqual(['--from']);
  expect(await offered('meridian', 'rerun', pipeline?.name ?? '', '--from', 't')).toEqual(['transform']);
  expect(await offered('meridian', 'run', '')).toContain(pipeline?.name);
  expect(await offered('meridian', 'rollback', view.slice(0, 4))).toContain(view);
  expect(await offered('meridian', 'cycles', 'list', '--pipeline', '')).toEqual(pipelines.map((spec) => spec.name));
  expect(await offered('meridian', 'completion', 'z')).toEqual(['zsh']);
});
