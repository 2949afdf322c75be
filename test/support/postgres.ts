import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, type ClientConfig, type PoolConfig } from 'pg';
import { migrate } from '../../sql/migrate';
import { type OpenDatabase, openDatabase } from '../../sql/database';

const HOST = '127.0.0.1';
const TEMPLATE = 'meridian_template';
/** Set by whoever starts one server for a whole run: `host:port` of a server made by `startTestServer`. */
const SHARED_SERVER = 'MERIDIAN_TEST_POSTGRES';

/** A private PostgreSQL with PostGIS and the migrated template database. */
export interface TestServer {
  readonly address: string;
  stop(): Promise<void>;
}

/** A database of a test file's own, cloned from the migrated template. */
export interface TestDatabase extends OpenDatabase {
  /** As the product's role `meridian` sees it. */
  readonly config: ClientConfig & PoolConfig;
  /** As the superuser, for what a test does from outside. */
  readonly adminConfig: ClientConfig & PoolConfig;
  /** Drops the database, and ends the server when it was started for it alone. */
  stop(): Promise<void>;
}

/** Starts a server on a free port, with the roles that the local stack has, and migrates the template database. */
export async function startTestServer(): Promise<TestServer> {
  const bin = findBinaries();
  const home = mkdtempSync(join(tmpdir(), 'meridian-pg-'));
  const account = unprivilegedAccount();
  if (account !== undefined) chownSync(home, account.uid, account.gid);
  const data = join(home, 'data');
  execFileSync(join(bin, 'initdb'), ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'], {
    ...account,
    cwd: home,
    stdio: 'ignore',
  });
  const port = await freePort();
  const settings = {
    listen_addresses: HOST,
    port,
    unix_socket_directories: home,
    fsync: 'off',
    shared_buffers: '64MB',
    max_connections: 200,
    max_wal_size: '512MB',
    log_min_messages: 'fatal',
  };
  const server = spawn(
    join(bin, 'postgres'),
    ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    { ...account, cwd: home, stdio: 'ignore' },
  );
  const killServer = () => void server.kill('SIGQUIT');
  process.once('exit', killServer);
  const address = `${HOST}:${port}`;
  try {
    await prepare(address);
  } catch (error) {
    killServer();
    throw error;
  }
  return {
    address,
    async stop() {
      process.removeListener('exit', killServer);
      if (server.exitCode === null) {
        const ended = new Promise((resolve) => server.once('exit', resolve));
        server.kill('SIGINT');
        await ended;
      }
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** The server of this run, or one of the test file's own where the run has none. */
export async function testServer(): Promise<TestServer> {
  const shared = process.env[SHARED_SERVER];
  return shared === undefined ? await startTestServer() : { address: shared, stop: async () => undefined };
}

/** Clones the template. Without a server it takes `testServer`, and ends that with the database. */
export async function createTestDatabase(given?: TestServer): Promise<TestDatabase> {
  const server = given ?? (await testServer());
  const { address } = server;
  const name = `test_${randomBytes(6).toString('hex')}`;
  await asAdmin(address, 'postgres', `create database ${name} template ${TEMPLATE} owner meridian`);
  const config = configOf(address, name, 'meridian');
  const opened = openDatabase({ ...config, max: 30 });
  return {
    ...opened,
    config,
    adminConfig: configOf(address, name, 'postgres'),
    async stop() {
      await opened.close();
      await asAdmin(address, 'postgres', `drop database ${name} with (force)`);
      if (given === undefined) await server.stop();
    },
  };
}

/** Runs one statement as the superuser. */
export async function runAsAdmin(config: ClientConfig, statement: string, values: readonly unknown[] = []): Promise<void> {
  const client = new Client(config);
  await client.connect();
  try {
    await client.query(statement, [...values]);
  } finally {
    await client.end();
  }
}

async function prepare(address: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    try {
      await asAdmin(address, 'postgres', 'select 1');
      break;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(50);
    }
  }
  await asAdmin(address, 'postgres', 'create role meridian login');
  await asAdmin(address, 'postgres', 'grant pg_read_all_stats to meridian');
  await asAdmin(address, 'postgres', 'create role meridian_reader login');
  await asAdmin(address, 'postgres', `create database ${TEMPLATE} owner meridian`);
  await asAdmin(address, TEMPLATE, 'create extension postgis');
  const { db, close } = openDatabase(configOf(address, TEMPLATE, 'meridian'));
  await migrate(db);
  await close();
}

function configOf(address: string, database: string, user: string): ClientConfig & PoolConfig {
  const [host, port] = address.split(':');
  return { host: host ?? HOST, port: Number(port), user, database };
}

async function asAdmin(address: string, database: string, statement: string): Promise<void> {
  await runAsAdmin(configOf(address, database, 'postgres'), statement);
}

/** PostgreSQL refuses to run as root: there its own account, which the packages make, runs it. */
function unprivilegedAccount(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === 'postgres');
  if (entry?.[2] === undefined || entry[3] === undefined) {
    throw new Error('Running as root, and there is no account "postgres" to run the test server: install postgresql-15-postgis-3');
  }
  return { uid: Number(entry[2]), gid: Number(entry[3]) };
}

function findBinaries(): string {
  const packaged = '/usr/lib/postgresql';
  const versions = existsSync(packaged) ? readdirSync(packaged).sort((a, b) => Number(b) - Number(a)) : [];
  for (const version of versions) {
    const bin = join(packaged, version, 'bin');
    if (Number(version) >= 15 && existsSync(join(bin, 'initdb'))) return bin;
  }
  const onPath = spawnSync('pg_config', ['--bindir'], { encoding: 'utf8' }).stdout?.trim();
  if (onPath !== undefined && onPath !== '' && existsSync(join(onPath, 'initdb'))) return onPath;
  throw new Error('No PostgreSQL 15 or later with initdb was found: run `npx meridian up` once, or install postgresql-15-postgis-3');
}

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, HOST, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
