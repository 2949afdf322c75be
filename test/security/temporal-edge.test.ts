import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get as plainGet } from 'node:http';
import { get as secureGet } from 'node:https';
import { connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { promisify } from 'node:util';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { NativeConnection } from '@temporalio/worker';
import { cycleWorkflowId } from '../../domain/cycle';
import { withTemporal } from '../../cli/temporal-client';
import { readTemporalSettings } from '../../edge/temporal-settings';
import { startMeridian, type RunningCommand } from '../e2e/meridian-process';
import { required, startTestEnvironment } from '../support/temporal';
import { fakeActivities } from '../workflows/fake-activities';
import { createAuthority } from './certificates';
import { withDecodedBase64, withEncryptedWorker } from './encrypted-cycles';
import { keyring, keyringJson } from './keyring';

const KEYS = keyring('2026-11', '2026-11');
const TOKEN = 'canary-token-0123456789abcdef0123456789';
const UI = 'http://localhost:8233';
const INTERVAL_END = '2018-08-02T00:00:00Z';
const WORKFLOW_ID = cycleWorkflowId('mobile-geolocation', INTERVAL_END);
const authority = createAuthority('authority of this test');
let environment: TestWorkflowEnvironment;
let folder: string;
let codecServer: RunningCommand;
let url: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'meridian-edge-'));
  writeFileSync(join(folder, 'token'), `${TOKEN}\n`, { mode: 0o600 });
  writeFileSync(join(folder, 'ca.pem'), authority.certificate);
  writeFileSync(join(folder, 'stranger.pem'), createAuthority('authority of this test').certificate);
  environment = await startTestEnvironment();
  env = {
    PATH: process.env['PATH'],
    HOME: folder,
    MERIDIAN_HOME: folder,
    MERIDIAN_PAYLOAD_KEYS: keyringJson(KEYS),
    MERIDIAN_CODEC_TOKEN_FILE: join(folder, 'token'),
    TEMPORAL_ADDRESS: environment.address,
  };
  codecServer = startMeridian(['codec-server', '--port', '0', '--origin', UI], env);
  url = await addressOf(codecServer);
}, 60_000);
afterAll(async () => {
  codecServer.child.kill('SIGTERM');
  expect(await codecServer.finished).toMatchObject({ code: 0, stdout: '' });
  await environment.teardown();
  rmSync(folder, { recursive: true });
});

async function addressOf(command: RunningCommand): Promise<string> {
  let said = '';
  command.child.stderr?.on('data', (text: string) => (said += text));
  await command.said(/answers at (\S+);/);
  return /answers at (\S+);/.exec(said)?.[1] ?? '';
}

async function ask(path: string, given: { method?: string; headers?: Record<string, string>; body?: string } = {}): Promise<Response> {
  const { method = 'POST', headers = {}, body } = given;
  return fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, 'x-namespace': 'default', ...headers },
    ...(method === 'POST' ? { body: body ?? '{"payloads":[]}' } : {}),
  });
}

test('the real `temporal` starts and shows an encrypted cycle by the codec server, and shows nothing without it', async () => {
  const temporal = async (args: readonly string[], codecEnv: NodeJS.ProcessEnv = {}) =>
    withDecodedBase64((await promisify(execFile)(required('MERIDIAN_TEMPORAL'), [...args, '--workflow-id', WORKFLOW_ID], { env: { ...env, ...codecEnv }, maxBuffer: 2 ** 26 })).stdout);
  const codec = ['--codec-endpoint', url, '--codec-auth', `Bearer ${TOKEN}`];
  const input = JSON.stringify({ pipeline: 'mobile-geolocation', intervalEnd: INTERVAL_END });
  await withEncryptedWorker(environment, KEYS, fakeActivities().activities, async ({ client, taskQueue }) => {
    await temporal(['workflow', 'start', '--type', 'etlCycle', '--task-queue', taskQueue, '--input', input, ...codec]);
    expect(await client.workflow.getHandle(WORKFLOW_ID).result()).toMatchObject({ outcome: 'promoted' });
  });

  const inClear = await temporal(['workflow', 'show', '--output', 'json']);
  const byFlags = await temporal(['workflow', 'show', '--output', 'json', ...codec]);
  const byEnvironment = await temporal(['workflow', 'show', '--output', 'json'], { TEMPORAL_CODEC_ENDPOINT: url, TEMPORAL_CODEC_AUTH: `Bearer ${TOKEN}` });

  const words = ['manifest.json', 'vw_positions', 'intervalEnd'];
  expect(words.filter((word) => inClear.includes(word))).toEqual([]);
  expect(words.filter((word) => byFlags.includes(word))).toEqual(words);
  expect(words.filter((word) => byEnvironment.includes(word))).toEqual(words);
});

test.each([
  ['no token', 401, '/decode', { headers: { authorization: '' } }],
  ['another token', 401, '/decode', { headers: { authorization: `Bearer ${TOKEN.slice(0, -1)}x` } }],
  ['the beginning of the token', 401, '/decode', { headers: { authorization: `Bearer ${TOKEN.slice(0, 8)}` } }],
  ['the token without its scheme', 401, '/decode', { headers: { authorization: TOKEN } }],
  ['a page of another origin', 403, '/decode', { headers: { origin: 'http://evil.example' } }],
  ['the origin of another port', 403, '/decode', { headers: { origin: 'http://localhost:8234' } }],
  ['another namespace', 403, '/decode', { headers: { 'x-namespace': 'prod' } }],
  ['another path', 404, '/keys', {}],
  ['GET', 405, '/decode', { method: 'GET' }],
  ['a body that is no JSON', 400, '/decode', { body: `{"payloads":[{"data":"${TOKEN}` }],
  ['a body of another form', 400, '/decode', { body: '{"payloads":[{"data":7}]}' }],
  ['a forged payload', 400, '/decode', { body: JSON.stringify({ payloads: [{ metadata: { encoding: 'YmluYXJ5L2VuY3J5cHRlZA==', 'encryption-key-id': 'MjAyNi0xMQ==' }, data: 'AAAA' }] }) }],
  ['17 MiB', 413, '/decode', { body: JSON.stringify({ payloads: [], filling: 'x'.repeat(17 * 1024 ** 2) }) }],
])('%s is answered %i, and neither token nor keys stand in the answer', async (_what, status, path, given) => {
  const response = await ask(path, given);
  const text = await response.text();

  expect(response.status).toBe(status);
  expect(JSON.parse(text)).toEqual({ message: expect.any(String) as unknown });
  expect([TOKEN, ...[...KEYS.keys.values()].map((key) => Buffer.from(key).toString('base64'))].filter((secret) => text.includes(secret))).toEqual([]);
});

test("the Web UI's origin alone may read an answer, and may ask first without the token", async () => {
  const preflight = await ask('/decode', { method: 'OPTIONS', headers: { origin: UI, authorization: '' } });
  const foreign = await ask('/decode', { method: 'OPTIONS', headers: { origin: 'http://evil.example', authorization: '' } });
  const answer = await ask('/decode', { headers: { origin: UI } });

  expect([preflight.status, foreign.status, answer.status]).toEqual([204, 403, 200]);
  expect(preflight.headers.get('access-control-allow-origin')).toBe(UI);
  expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization');
  expect(answer.headers.get('access-control-allow-origin')).toBe(UI);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(foreign.headers.get('access-control-allow-origin')).toBeNull();
});

test.each([
  ['--host 0.0.0.0', ['--host', '0.0.0.0'], {}, 2, /0\.0\.0\.0 is not loopback: .*--tls-cert/],
  ['a token that others may read', [], { token: 0o644 }, 1, /mode 644, expected 600/],
  ['no keys', [], { MERIDIAN_PAYLOAD_KEYS: '' }, 2, /MERIDIAN_PAYLOAD_KEYS is not set/],
  ['an origin with a path', ['--origin', 'http://localhost:8233/'], {}, 2, /expected scheme, host and port alone/],
] as const)('the codec server does not start with %s', async (_what, args, { token, ...settings }: { token?: number; MERIDIAN_PAYLOAD_KEYS?: string }, code, message) => {
  const file = join(folder, `token-${String(token ?? 0o600)}`);
  writeFileSync(file, TOKEN, { mode: token ?? 0o600 });

  const finished = await startMeridian(['codec-server', '--port', '0', ...args], { ...env, ...settings, MERIDIAN_CODEC_TOKEN_FILE: file }).finished;

  expect(finished).toMatchObject({ code, stderr: expect.stringMatching(message) as unknown });
  expect(finished.stderr).not.toContain(TOKEN);
});

test('with a certificate the codec server listens elsewhere than on loopback, by TLS alone', async () => {
  const { certificate, key } = authority.issue(['0.0.0.0']);
  writeFileSync(join(folder, 'codec.pem'), certificate);
  writeFileSync(join(folder, 'codec.key'), key, { mode: 0o600 });
  const server = startMeridian(['codec-server', '--port', '0', '--host', '0.0.0.0', '--tls-cert', join(folder, 'codec.pem'), '--tls-key', join(folder, 'codec.key')], env);
  const at = await addressOf(server);
  const status = async (address: string) =>
    new Promise((resolve, reject) => {
      const request = (address.startsWith('https') ? secureGet : plainGet)(`${address}/decode`, { ca: authority.certificate }, (response) => resolve(response.resume().statusCode));
      request.once('error', reject);
    });

  const answers = await Promise.allSettled([status(at), status(at.replace('https', 'http'))]);
  server.child.kill('SIGTERM');

  expect(at).toMatch(/^https:/);
  expect(answers).toMatchObject([{ status: 'fulfilled', value: 401 }, { status: 'rejected' }]);
  expect(await server.finished).toMatchObject({ code: 0 });
});

describe('Temporal behind TLS', () => {
  let proxies: Server[];
  const saved = { ...process.env };

  beforeEach(() => {
    proxies = [];
  });
  afterEach(() => {
    for (const proxy of proxies) proxy.close();
    process.env = { ...saved };
  });

  /** The dev server's port behind a certificate for `names`. */
  async function behindTls(names: readonly string[]): Promise<number> {
    const { certificate, key } = authority.issue(names);
    const [host = '', port = ''] = environment.address.split(':');
    const proxy = createTlsServer({ cert: certificate, key, ALPNProtocols: ['h2'] }, (secure: Socket) => {
      const plain = connect(Number(port), host);
      secure.pipe(plain).pipe(secure);
      for (const each of [secure, plain]) each.on('error', () => [secure, plain].forEach((socket) => socket.destroy()));
    });
    proxies.push(proxy);
    await new Promise<void>((listening) => proxy.listen(0, '127.0.0.1', () => listening()));
    return (proxy.address() as AddressInfo).port;
  }

  const settings = (port: number, rootCertificate: string) => ({
    HOME: folder,
    TEMPORAL_ADDRESS: `127.0.0.1:${port}`,
    TEMPORAL_TLS: 'true',
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: join(folder, rootCertificate),
  });
  /** As the worker does. */
  const connects = async (port: number, rootCertificate: string) => {
    const connection = await NativeConnection.connect(readTemporalSettings(settings(port, rootCertificate)).connectionOptions);
    await connection.close();
    return true;
  };

  test('is reached with a certificate of the right authority for the right address, and with no other', async () => {
    const port = await behindTls(['127.0.0.1']);
    Object.assign(process.env, settings(port, 'ca.pem'));

    await expect(withTemporal(async (client) => (await client.workflowService.getSystemInfo({})).serverVersion)).resolves.toMatch(/^\d+\./);
    await expect(connects(port, 'ca.pem')).resolves.toBe(true);
    await expect(connects(port, 'stranger.pem')).rejects.toThrow(/certificate|tls|transport/i);
    await expect(connects(await behindTls(['127.0.0.2']), 'ca.pem')).rejects.toThrow(/certificate|tls|transport/i);
  });

  test('and neither worker nor command speaks to another machine without it', async () => {
    const away = { ...env, TEMPORAL_ADDRESS: '0.0.0.0:7233', MERIDIAN_PAYLOAD_KEYS: '' };
    const worker = startMeridian(['worker'], { ...away, ...(await completeWorkerEnvironment()) }).finished;
    const run = startMeridian(['run', 'mobile-geolocation'], away).finished;

    for (const { code, stderr } of [await worker, await run]) {
      expect(code).toBe(1);
      expect(stderr).toMatch(/^meridian: Temporal at 0\.0\.0\.0:7233 would be spoken to without TLS: .*MERIDIAN_ALLOW_PLAINTEXT_TEMPORAL=1\n$/);
    }
  });
});

async function completeWorkerEnvironment(): Promise<NodeJS.ProcessEnv> {
  const { STACK_OUTPUTS } = await import('../../domain/stack-outputs');
  const outputs = Object.fromEntries(Object.values(STACK_OUTPUTS).map((name) => [name, 'x']));
  return { ...outputs, AWS_REGION: 'us-east-1', PGHOST: '127.0.0.1', PGDATABASE: 'd', PGUSER: 'u', MERIDIAN_JOBS_URI: 's3://x/y', MERIDIAN_WORK_DIR: join(folder, 'work') };
}
