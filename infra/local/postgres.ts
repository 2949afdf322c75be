import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { findProcess, type ProcessRecord, startProcess, waitUntilReady } from './processes';
import { StackError } from './stack-error';
import { run } from './toolchain/command';
import { unprivilegedAccount } from './unprivileged-account';

const HOST = '127.0.0.1';
const DATABASE = 'meridian';
export const POSTGRES = 'postgres';

export interface PostgresOptions {
  readonly home: string;
  /** Folder with `initdb` and `postgres`. */
  readonly bin: string;
  readonly port: number;
  /** For servers whose data nobody will want back. */
  readonly disposable?: boolean;
}

/** What a client needs, by the names that libpq reads. */
export interface PostgresEnv {
  readonly PGHOST: string;
  readonly PGPORT: string;
  readonly PGDATABASE: string;
  readonly PGUSER: string;
  readonly PGPASSWORD: string;
}

/** The product's role owns the database; readers get what is granted to them. */
const ROLES = ['meridian', 'meridian_reader'] as const;

/**
 * A private cluster in `<home>/postgres` on loopback, with PostGIS and the two roles; started where it does not run.
 * Safe to run twice: an existing cluster keeps its data and its password.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresEnv> {
  const { home, port } = options;
  const passwords = ensurePasswords(home);
  const running = findProcess(home, POSTGRES);
  const record = running ?? (await launch(options, passwords));
  const actualPort = Number(record.settings['port'] ?? port);
  const superuser = { host: HOST, port: actualPort, user: 'postgres', password: passwords.postgres, database: 'postgres' };
  await waitUntilReady(home, record, () => answers(superuser), 60_000);
  if (running === undefined) await prepare(superuser, passwords);
  return { PGHOST: HOST, PGPORT: String(actualPort), PGDATABASE: DATABASE, PGUSER: 'meridian', PGPASSWORD: passwords.meridian };
}

type Passwords = Readonly<Record<'postgres' | (typeof ROLES)[number], string>>;

/** The reader's password, for the line that a person pastes. */
export function readerPassword(home: string): string {
  return ensurePasswords(home).meridian_reader;
}

async function launch({ home, bin, port, disposable = false }: PostgresOptions, passwords: Passwords): Promise<ProcessRecord> {
  const account = unprivilegedAccount();
  const folder = join(home, 'postgres');
  const data = join(folder, 'data');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (account !== undefined) chownSync(folder, account.uid, account.gid);
  const as = account === undefined ? {} : { account };
  if (!existsSync(join(data, 'PG_VERSION'))) {
    const passwordFile = join(folder, 'initdb.password');
    writeFileSync(passwordFile, passwords.postgres, { mode: 0o600 });
    if (account !== undefined) chownSync(passwordFile, account.uid, account.gid);
    try {
      await run(
        join(bin, 'initdb'),
        ['-D', data, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '-E', 'UTF8', '--locale=C.UTF-8', ...(disposable ? ['--no-sync'] : [])],
        { cwd: folder, timeoutMs: 120_000, ...as },
      );
    } catch (error) {
      throw explained(error, home, account !== undefined);
    } finally {
      writeFileSync(passwordFile, '');
    }
  }
  const settings = {
    listen_addresses: HOST,
    port,
    unix_socket_directories: '', // loopback by password is the only way in
    shared_buffers: '256MB',
    maintenance_work_mem: '256MB',
    max_wal_size: '2GB',
    max_connections: 100,
    ...(disposable ? { fsync: 'off' } : {}),
  };
  return startProcess(home, {
    name: POSTGRES,
    command: join(bin, 'postgres'),
    args: ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    env: { PATH: process.env['PATH'], LANG: 'C.UTF-8', TZ: 'UTC' },
    cwd: folder,
    stopSignal: 'SIGINT', // fast shutdown: open transactions are rolled back
    settings: { port },
    ...as,
  });
}

/** Roles, database and extension; every statement is safe to run again after an interrupted first start. */
async function prepare(superuser: SuperuserConfig, passwords: Passwords): Promise<void> {
  await withClient(superuser, async (client) => {
    for (const role of ROLES) {
      const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [role]);
      if (rowCount === 0) await client.query(`create role ${role} login`);
      await client.query(`alter role ${role} password ${client.escapeLiteral(passwords[role])}`);
    }
    // The snapshot wait before a promotion must see every backend (design section 7.4).
    await client.query('grant pg_read_all_stats to meridian');
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`create database ${DATABASE} owner meridian`);
  });
  await withClient({ ...superuser, database: DATABASE }, (client) => client.query('create extension if not exists postgis'));
}

function ensurePasswords(home: string): Passwords {
  const file = join(home, 'postgres.secrets.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as Passwords;
  mkdirSync(home, { recursive: true });
  const passwords = Object.fromEntries(['postgres', ...ROLES].map((role) => [role, randomBytes(18).toString('base64url')])) as Passwords;
  writeFileSync(file, JSON.stringify(passwords), { mode: 0o600 });
  chmodSync(file, 0o600);
  return passwords;
}

interface SuperuserConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

async function answers(config: SuperuserConfig): Promise<boolean> {
  return withClient(config, () => Promise.resolve(true)).catch(() => false);
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

/** As root, PostgreSQL runs as another user, who must be able to reach the folder. */
function explained(error: unknown, home: string, switchedUser: boolean): unknown {
  if (!switchedUser || !(error instanceof StackError) || !/permission denied|could not access|could not change directory/i.test(error.message)) return error;
  return new StackError(
    `PostgreSQL refuses to run as root, and the user that it runs as instead cannot reach ${home}: ` +
      `let others pass through its parent folders (chmod o+x), or choose another place: MERIDIAN_HOME=/var/tmp/meridian\n${error.message}`,
  );
}
