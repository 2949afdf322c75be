import { join } from 'node:path';
import { Client } from 'pg';
import { ensureCluster } from './postgres-cluster';
import { ensurePasswords, type Passwords, ROLES } from './postgres-passwords';
import { findProcess, type ProcessRecord, startProcess, waitUntilReady } from './processes';
import type { Found } from './toolchain/tool';

const HOST = '127.0.0.1';
const DATABASE = 'meridian';
export const POSTGRES = 'postgres';

export interface PostgresOptions {
  readonly home: string;
  /** Its `path` is the folder with `initdb` and `postgres`. */
  readonly server: Found;
  readonly port: number;
}

/** What a client needs, by the names that libpq reads. */
export interface PostgresEnv {
  readonly PGHOST: string;
  readonly PGPORT: string;
  readonly PGDATABASE: string;
  readonly PGUSER: string;
  readonly PGPASSWORD: string;
}

/** Small enough for a laptop, large enough that a load is not one checkpoint after the other. */
const SETTINGS = {
  listen_addresses: HOST,
  unix_socket_directories: '', // loopback by password is the only way in
  shared_buffers: '256MB',
  maintenance_work_mem: '256MB',
  max_wal_size: '2GB',
  max_connections: '100',
  timezone: 'UTC',
  log_timezone: 'UTC',
} as const;

/**
 * A private cluster of `home` on loopback, with PostGIS and the two roles; started where it does not run.
 * Safe to run twice: an existing cluster keeps its data and its passwords.
 * @throws StackError with the end of the server's log
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresEnv> {
  const { home, port } = options;
  const passwords = ensurePasswords(home);
  const record = findProcess(home, POSTGRES) ?? (await launch(options, passwords));
  const actualPort = Number(record.settings['port'] ?? port);
  const superuser = { host: HOST, port: actualPort, user: 'postgres', password: passwords.postgres, database: 'postgres' };
  // Also on one that runs: whoever started it may have been interrupted here. One that recovers from a crash is waited for.
  const prepared = () => prepare(superuser, passwords).then(() => true, isNotReady);
  await waitUntilReady(home, record, prepared, 60_000);
  return { PGHOST: HOST, PGPORT: String(actualPort), PGDATABASE: DATABASE, PGUSER: 'meridian', PGPASSWORD: passwords.meridian };
}

async function launch({ home, server, port }: PostgresOptions, passwords: Passwords): Promise<ProcessRecord> {
  const { folder, data, account } = await ensureCluster(home, server, passwords.postgres);
  const settings = { ...SETTINGS, port: String(port) };
  return startProcess(home, {
    name: POSTGRES,
    command: join(server.path, 'postgres'),
    args: ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    env: { PATH: process.env['PATH'], LANG: 'C.UTF-8', TZ: 'UTC', ...server.env },
    cwd: folder,
    stopSignal: 'SIGINT', // fast shutdown: open transactions are rolled back
    settings: { port },
    ...(account === undefined ? {} : { account }),
  });
}

/** Roles, database and extension; every statement is safe to run again. */
async function prepare(superuser: SuperuserConfig, passwords: Passwords): Promise<void> {
  await withClient(superuser, async (client) => {
    for (const role of ROLES) {
      const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [role]);
      if (rowCount === 0) await client.query(`create role ${role} login`);
      await client.query(`alter role ${role} password ${client.escapeLiteral(passwords[role])}`);
    }
    // The snapshot wait before a promotion must see every backend.
    await client.query('grant pg_read_all_stats to meridian');
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`create database ${DATABASE} owner meridian`);
  });
  await withClient({ ...superuser, database: DATABASE }, (client) => client.query('create extension if not exists postgis'));
}

interface SuperuserConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/**
 * Not there yet, or gone in between: nothing listens, starting up or recovering (57P03), shut down or crashed (57P01, 57P02),
 * or a connection that broke, of which pg says so without a code. PostgreSQL's Appendix A, "Error Codes".
 * @returns false: not ready
 * @throws any other error, as it is
 */
function isNotReady(error: unknown): false {
  const { code, message } = error as Error & { readonly code?: string };
  const away = code === undefined ? /connection terminated|timeout/i.test(message) : /^(ECONNREFUSED|ECONNRESET|EPIPE|57P0[123]|08\w{3})$/.test(code);
  if (away) return false;
  throw error;
}

async function withClient<T>(config: SuperuserConfig, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ ...config, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}
