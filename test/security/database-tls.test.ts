import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { openDatabase } from '../../sql/database';
import { databaseTls } from '../../sql/database-tls';
import { runOnce, startTestServer, type TestServer } from '../support/postgres';
import { createAuthority } from './certificates';

/** On Linux a connection to it arrives at loopback, and to the product it is an address like any other. */
const NOT_LOOPBACK = '0.0.0.0';
const MODES = ['PGSSLMODE', 'PGSSLROOTCERT', 'PGHOST'] as const;
const authority = createAuthority('authority of this test');
const stranger = createAuthority('authority of this test');
let server: TestServer;
let folder: string;
const before = MODES.map((name) => process.env[name]);

beforeAll(async () => {
  server = await startTestServer();
  folder = mkdtempSync(join(tmpdir(), 'meridian-tls-'));
  writeFileSync(join(folder, 'ca.pem'), authority.certificate);
  writeFileSync(join(folder, 'stranger.pem'), stranger.certificate);
}, 60_000);
afterAll(async () => {
  MODES.forEach((name, index) => setVariable(name, before[index]));
  rmSync(folder, { recursive: true });
  await server.stop();
});
beforeEach(() => MODES.forEach((name) => setVariable(name, undefined)));

function setVariable(name: string, value: string | undefined): void {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
}

/** Makes the server show another certificate; new connections get it. */
async function serveCertificate(names: readonly string[] | undefined): Promise<void> {
  const admin = { ...server.config('postgres', 'postgres'), ssl: false };
  const loadedBefore = await valueOf(LOAD_TIME);
  const data = await valueOf("select current_setting('data_directory') as value");
  const { uid, gid } = statSync(data);
  const { certificate, key } = authority.issue(names ?? []);
  for (const [name, text] of [['server.crt', certificate], ['server.key', key]] as const) {
    writeFileSync(join(data, name), text);
    chownSync(join(data, name), uid, gid);
    chmodSync(join(data, name), 0o600);
  }
  await runOnce(admin, `alter system set ssl = ${names === undefined ? 'off' : 'on'}`);
  await runOnce(admin, 'select pg_reload_conf()');
  // A new session has the settings that the postmaster had when it began.
  while ((await valueOf(LOAD_TIME)) === loadedBefore) await new Promise((next) => setTimeout(next, 20));
}

const LOAD_TIME = 'select pg_conf_load_time()::text as value';

/** Of the superuser's own connection, which is no subject here. */
async function valueOf(statement: string): Promise<string> {
  const client = new Client({ ...server.config('postgres', 'postgres'), ssl: false });
  await client.connect();
  const { rows } = await client.query<{ value: string }>(statement);
  await client.end();
  return rows[0]?.value ?? '';
}

/** Connects as the product does; true: by TLS. */
async function connectsByTls(host: string, rootCertificate?: string, mode?: string): Promise<boolean> {
  setVariable('PGSSLROOTCERT', rootCertificate === undefined ? undefined : join(folder, rootCertificate));
  setVariable('PGSSLMODE', mode);
  const { pool, close } = openDatabase({ ...server.config('postgres', 'postgres'), host });
  try {
    const { rows } = await pool.query<{ ssl: boolean }>('select ssl from pg_stat_ssl where pid = pg_backend_pid()');
    return rows[0]?.ssl === true;
  } finally {
    await close();
  }
}

test('another machine is reached by TLS alone, and only with a certificate of the right authority for the right address', async () => {
  await serveCertificate([NOT_LOOPBACK]);

  await expect(connectsByTls(NOT_LOOPBACK, 'ca.pem')).resolves.toBe(true);
  await expect(connectsByTls(NOT_LOOPBACK, 'stranger.pem')).rejects.toThrow(/certificate signature failure|self.signed certificate|unable to (get|verify)/i);
  await expect(connectsByTls(NOT_LOOPBACK)).rejects.toThrow(/self.signed certificate|unable to (get|verify)/i);
});

test.each(['disable', 'no-verify', 'prefer', 'require'])('PGSSLMODE=%s weakens none of it', async (mode) => {
  await serveCertificate(['db.example']);

  await expect(connectsByTls(NOT_LOOPBACK, 'ca.pem', mode)).rejects.toThrow(/does not match certificate's altnames/);
  await expect(connectsByTls(NOT_LOOPBACK, 'stranger.pem', mode)).rejects.toThrow(/certificate/);
});

test("a certificate for another name is refused; `localhost` is no other machine's name", async () => {
  await serveCertificate(['localhost']);

  await expect(connectsByTls(NOT_LOOPBACK, 'ca.pem')).rejects.toThrow(/IP: 0.0.0.0 is not in the cert's list/);
  await expect(connectsByTls('localhost', 'ca.pem', 'verify-full')).resolves.toBe(true);
  await expect(connectsByTls('localhost', 'stranger.pem', 'verify-full')).rejects.toThrow(/certificate/);

  await serveCertificate(['db.example']);

  await expect(connectsByTls('localhost', 'ca.pem', 'verify-full')).rejects.toThrow(/Host: localhost. is not in the cert's altnames: DNS:db.example/);
});

test('a server without TLS is refused on another machine, and taken on loopback', async () => {
  await serveCertificate(undefined);

  await expect(connectsByTls(NOT_LOOPBACK, 'ca.pem')).rejects.toThrow(/does not support SSL connections/);
  await expect(connectsByTls('127.0.0.1')).resolves.toBe(false);
});

test('PGHOST counts like a host in the configuration, a socket is local, a connection string is refused', () => {
  setVariable('PGHOST', 'db.example');

  expect(databaseTls({}, process.env)).toEqual({ ssl: { rejectUnauthorized: true } });
  expect(databaseTls({ host: '/run/postgresql' }, process.env)).toEqual({});
  expect(() => databaseTls({}, { PGSSLROOTCERT: join(folder, 'none.pem') })).toThrow(/PGSSLROOTCERT: .*none.pem cannot be read \(ENOENT\)/);
  expect(() => openDatabase({ connectionString: 'postgres://db.example/x?sslmode=no-verify' })).toThrow(/connection string could switch off/);
});
