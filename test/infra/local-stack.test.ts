import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CreateBucketCommand, ListBucketsCommand, S3Client } from '@aws-sdk/client-s3';
import { Connection } from '@temporalio/client';
import { Client } from 'pg';
import { SEARCH_ATTRIBUTES } from '../../domain/search-attribute-names';
import { isRunning, processesMarked } from '../../infra/local/process-identity';
import { findProcess, type ProcessRecord, startProcess } from '../../infra/local/processes';
import { silent } from '../../infra/local/progress';
import { stackStatus, startStack, stopStack } from '../../infra/local/stack';
import { readStackEnv, stackEnvFile } from '../../infra/local/stack-env';
import { reachableFolder, unprivilegedAccount } from '../../infra/local/unprivileged-account';
import { processesThatMention } from '../support/processes-mentioning';

const ROOT = join(__dirname, '..', '..');
const FREE_PORTS = { temporal: 0, temporalUi: 0, postgres: 0, aws: 0 };
const PARTS = ['postgres', 'temporal', 'aws'] as const;
const folder = mkdtempSync(join(tmpdir(), 'meridian-stack-'));
const home = join(folder, 'home');

jest.setTimeout(240_000);
afterAll(async () => {
  await stopStack({ home, purge: true });
  rmSync(folder, { recursive: true, force: true });
});

/** The tests of this block tell one story of one stack, in order. */
describe('The local stack (X14, S0.12)', () => {
  test('comes up on loopback alone: Temporal, PostgreSQL with PostGIS, and AWS answer at the addresses of stack.env', async () => {
    const stack = await startStack({ home, ports: FREE_PORTS, progress: silent });

    expect(await query('select postgis_version() as version')).toEqual([{ version: expect.stringMatching(/^3\./) as string }]);
    expect(await query('select datname, pg_get_userbyid(datdba) as owner from pg_database where datname = current_database()')).toEqual([
      { datname: 'meridian', owner: 'meridian' },
    ]);
    expect(await query("select pg_has_role('pg_read_all_stats', 'member') as member")).toEqual([{ member: true }]);
    expect(await searchAttributes()).toMatchObject(SEARCH_ATTRIBUTES);
    await s3().send(new CreateBucketCommand({ Bucket: 'kept' }));
    expect((await fetch(stack.temporalUi)).ok).toBe(true);
    expect(stackStatus(home).parts.filter(({ running }) => running).map(({ name }) => name)).toEqual([...PARTS]);
    expect(await listeningBeyondLoopback()).toEqual([]);
    expect(existsSync(join(postgresData(), 'PG_VERSION'))).toBe(true);
  });

  test('its settings and passwords are for their owner alone', () => {
    expect(statSync(stackEnvFile(home)).mode & 0o777).toBe(0o600);
    expect(statSync(join(home, 'postgres.secrets.json')).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(home, 'logs')).map((log) => statSync(join(home, 'logs', log)).mode & 0o777)).toEqual([0o600, 0o600, 0o600]);
  });

  test('no password opens no door: neither a wrong one nor none', async () => {
    await expect(query('select 1', { password: 'guessed' })).rejects.toThrow(/password authentication failed/);
    await expect(query('select 1', { user: 'postgres', password: '' })).rejects.toThrow();
  });

  test('readers may log in with the line that `up` prints, and create nothing', async () => {
    const { stack } = stackStatus(home);
    const reader = new Client({ connectionString: stack?.postgresUrl });
    await reader.connect();

    await expect(reader.query('create table public.mine (id int)')).rejects.toThrow(/permission denied/);
    expect((await reader.query<{ role: string }>('select current_user as role')).rows).toEqual([{ role: 'meridian_reader' }]);

    await reader.end();
  });

  test('starting it again reuses what runs', async () => {
    const before = records();
    const env = readStackEnv(home);

    await startStack({ home, ports: FREE_PORTS, progress: silent });

    expect(records()).toEqual(before);
    expect(readStackEnv(home)).toEqual(env);
  });

  test('one that takes any credentials does not begin to enforce while it runs, and says how it can (S2.21)', async () => {
    const before = records();

    const up = startStack({ home, ports: FREE_PORTS, progress: silent, auth: true });

    await expect(up).rejects.toThrow('`meridian down` first, then `meridian up --auth`');
    expect(records()).toEqual(before);
    await startStack({ home, ports: FREE_PORTS, progress: silent });
    expect(readStackEnv(home)['AWS_ACCESS_KEY_ID']).toBe('local');
  });

  test('two processes that start it at once come to one stack', async () => {
    await stopStack({ home, purge: false });

    const [first, second] = await Promise.all([startInAnotherProcess(), startInAnotherProcess()]);

    expect(first).toEqual(second);
    expect(first).toEqual(readStackEnv(home));
    const { postgres, temporal, aws } = records();
    expect(processesMarked('MERIDIAN_STACK_PROCESS', `${home}#aws`).map(({ pid }) => pid)).toEqual([aws?.pid]);
    expect(processesThatMention(join(home, 'temporal.db'))).toEqual([temporal?.pid]);
    expect(processesThatMention(`port=${readStackEnv(home)['PGPORT']}`)).toEqual([postgres?.pid]);
  });

  test.each(PARTS)('half up after %s was killed, it is whole again: only that part is started, nothing is lost', async (killed) => {
    const before = records();
    await query(`create table if not exists public.kept as select 42 as answer`);
    process.kill(before[killed]?.pid ?? 0, 'SIGKILL');
    await until(() => findProcess(home, killed) === undefined);
    const halfUp = await runMeridian(['status', '--json']);

    await startStack({ home, ports: FREE_PORTS, progress: silent });

    expect(halfUp.code).toBe(1);
    expect(JSON.parse(halfUp.stdout)).toMatchObject({ up: false });
    const after = records();
    for (const part of PARTS) expect([part, after[part]?.pid === before[part]?.pid]).toEqual([part, part !== killed]);
    expect(await query('select answer from public.kept')).toEqual([{ answer: 42 }]);
  });

  test('`down` leaves no process, also none that hangs, and keeps the data for the next `up`', async () => {
    const stubborn = await startStubborn();
    const before = [...Object.values(records()), stubborn];

    const down = await runMeridian(['down', '--json']);

    expect(down).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(down.stdout)).toEqual({ stopped: ['aws', 'temporal', 'postgres', 'stubborn'], purged: false });
    expect(before.filter((record) => record !== undefined && isRunning(record))).toEqual([]);
    expect(processesThatMention(home)).toEqual([]);
    expect(processesMarked('MERIDIAN_STACK_PROCESS', `${home}#stubborn`)).toEqual([]);

    await startStack({ home, ports: FREE_PORTS, progress: silent });
    expect(await query('select answer from public.kept')).toEqual([{ answer: 42 }]);
    expect((await s3().send(new ListBucketsCommand({}))).Buckets?.map(({ Name }) => Name)).toEqual(['kept']);
  });

  test('a process id that is another process by now is left alone', async () => {
    await stopStack({ home, purge: false });
    const stranger = { pid: process.pid, startTime: '1', name: 'aws', stopSignal: 'SIGTERM', startedAt: '', settings: {} };
    writeFileSync(join(home, 'run', 'aws.json'), JSON.stringify(stranger));

    const stopped = await stopStack({ home, purge: false }); // would end this test

    expect(stopped).toEqual([]);
  });

  test('`down --purge` removes everything; `down` on nothing says so', async () => {
    const data = postgresData();
    const purge = await runMeridian(['down', '--purge', '--json']);
    const again = await runMeridian(['down']);

    expect(purge.code).toBe(0);
    expect(existsSync(home)).toBe(false);
    expect(existsSync(data)).toBe(false);
    expect(existsSync(dirname(dirname(data)))).toBe(false);
    expect(again).toMatchObject({ code: 0, stdout: 'Nothing was running\n' });
  });
});

describe('Bad input', () => {
  test("a port that another process uses is named with its holder and the variable, and nothing is left running", async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });

    const up = await runMeridian(['up', '--json'], { MERIDIAN_POSTGRES_PORT: String(port) });
    const doctor = await runMeridian(['doctor', '--json'], { MERIDIAN_POSTGRES_PORT: String(port) });
    server.close();

    expect(up).toMatchObject({ code: 1, stdout: '' });
    expect(up.stderr.trim().split('\n')).toEqual([
      expect.stringMatching(new RegExp(`^meridian: Port ${port} of 127.0.0.1, wanted for PostgreSQL, is in use by .*\\(process ${process.pid}\\).*MERIDIAN_POSTGRES_PORT=\\d+`)),
    ]);
    expect(doctor.code).toBe(1);
    expect(JSON.parse(doctor.stdout)).toMatchObject({ ready: false, ports: expect.arrayContaining([expect.objectContaining({ port, taken: expect.any(String) as string })]) as unknown });
    expect(processesThatMention(home)).toEqual([]);
  });

  test.each(['x', '70000', '-1', '80 80', ''])('a port written "%s" is refused by its variable', async (port) => {
    const { code, stderr } = await runMeridian(['up'], { MERIDIAN_AWS_PORT: port });

    expect(code).toBe(1);
    expect(stderr).toMatch(/^meridian: MERIDIAN_AWS_PORT: expected a port/);
  });

  test("somebody else's folder is neither used nor removed", async () => {
    const theirs = join(mkdtempSync(join(folder, 'theirs-')));
    writeFileSync(join(theirs, 'thesis.txt'), 'years of work');

    const purge = await runMeridian(['down', '--purge'], { MERIDIAN_HOME: theirs });
    const up = await runMeridian(['up'], { MERIDIAN_HOME: theirs });

    for (const { code, stderr } of [purge, up]) {
      expect(code).toBe(1);
      expect(stderr).toContain(theirs);
    }
    expect(readdirSync(theirs)).toEqual(['thesis.txt']);
  });

  test.each([[['nonsense']], [['toString']], [['up', '--nonsense']], [['down', 'too', 'many']], [[]]])('%j is wrong usage: exit code 2', async (words) => {
    expect(await runMeridian(words)).toMatchObject({ code: 2, stdout: '' });
  });

  test.each(['doctor', 'up', 'down', 'status', 'demo', 'worker', 'pipelines', 'run', 'cycles', 'logs', 'versions'])('`%s --help` says what it takes', async (name) => {
    const { code, stdout, stderr } = await runMeridian([name, '--help']);

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`Usage: meridian ${name}`);
    expect((await runMeridian(['help', name])).stdout).toBe(stdout);
  });
});

interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function runMeridian(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CommandResult> {
  return new Promise((resolve) => {
    const options = { cwd: ROOT, env: { ...process.env, MERIDIAN_HOME: home, MERIDIAN_TEMPORAL_PORT: '0', MERIDIAN_TEMPORAL_UI_PORT: '0', MERIDIAN_POSTGRES_PORT: '0', MERIDIAN_AWS_PORT: '0', ...env } };
    const child = execFile(process.execPath, [join(ROOT, 'bin', 'meridian.js'), ...args], options, (_error, stdout, stderr) => {
      resolve({ code: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

/** What `startStack` gives as the settings, called by a process of its own. */
async function startInAnotherProcess(): Promise<unknown> {
  const source = `
    const { startStack } = require('./infra/local/stack');
    const progress = { note: () => undefined, advance: () => undefined };
    startStack({ home: ${JSON.stringify(home)}, ports: ${JSON.stringify(FREE_PORTS)}, progress }).then((stack) => console.log(JSON.stringify(stack.env)));`;
  const stdout = await new Promise<string>((resolve, reject) => {
    execFile(process.execPath, ['-r', 'tsx/cjs', '-e', source], { cwd: ROOT }, (error, output) => (error === null ? resolve(output) : reject(new Error(error.message))));
  });
  return JSON.parse(stdout) as unknown;
}

function records(): Readonly<Record<string, ProcessRecord | undefined>> {
  return Object.fromEntries(PARTS.map((part) => [part, findProcess(home, part)]));
}

/** Where the cluster is: elsewhere when this is root, since others cannot pass through this test's folder. */
function postgresData(): string {
  return join(reachableFolder(home, unprivilegedAccount()), 'postgres', 'data');
}

/** A part that ignores its stop signal, with a child that outlives it. */
async function startStubborn(): Promise<ProcessRecord> {
  const record = await startProcess(home, {
    name: 'stubborn',
    command: 'sh',
    args: ['-c', `trap '' TERM; setsid sleep 600 & echo ready; wait; sleep 600`],
    env: { PATH: process.env['PATH'] },
    cwd: home,
    stopSignal: 'SIGTERM',
    graceMs: 500,
  });
  await until(() => readFileSync(join(home, 'logs', 'stubborn.log'), 'utf8').includes('ready'));
  return record;
}

async function query(sql: string, more: { readonly user?: string; readonly password?: string } = {}): Promise<readonly unknown[]> {
  const env = readStackEnv(home);
  const client = new Client({ host: env['PGHOST'], port: Number(env['PGPORT']), database: env['PGDATABASE'], user: env['PGUSER'], password: env['PGPASSWORD'], ...more });
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

function s3(): S3Client {
  const env = readStackEnv(home);
  const credentials = { accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' };
  return new S3Client({ endpoint: env['AWS_ENDPOINT_URL'] ?? '', region: env['AWS_REGION'] ?? '', credentials });
}

/** Names and types as the namespace has them, in Temporal's own words. */
async function searchAttributes(): Promise<Readonly<Record<string, string>>> {
  const connection = await Connection.connect({ address: readStackEnv(home)['TEMPORAL_ADDRESS'] ?? '' });
  try {
    const { customAttributes = {} } = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
    const types = ['Unspecified', 'Text', 'Keyword', 'Int', 'Double', 'Bool', 'Datetime', 'KeywordList'];
    return Object.fromEntries(Object.entries(customAttributes ?? {}).map(([name, type]) => [name, types[Number(type)] ?? String(type)]));
  } finally {
    await connection.close();
  }
}

/** Sockets of the stack's processes that are open to other machines. */
async function listeningBeyondLoopback(): Promise<readonly string[]> {
  const pids = PARTS.map((part) => findProcess(home, part)?.pid);
  const lines = await new Promise<string>((resolve) => execFile('ss', ['-Hltnp'], (_error, stdout) => resolve(stdout)));
  const ours = lines.split('\n').filter((line) => pids.some((pid) => pid !== undefined && line.includes(`pid=${pid},`)));
  expect(ours.length).toBeGreaterThanOrEqual(4);
  return ours.filter((line) => !/^(127\.0\.0\.1|\[::1\]):/.test(line.split(/\s+/)[3] ?? ''));
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Not within 30 seconds: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
