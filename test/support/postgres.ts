import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, type PoolConfig } from 'pg';
import { freePort } from '../../infra/local/ports';
import { POSTGRES, startPostgres } from '../../infra/local/postgres';
import { removeCluster } from '../../infra/local/postgres-cluster';
import { ensurePasswords } from '../../infra/local/postgres-passwords';
import { stopProcess } from '../../infra/local/processes';
import { postgresServer } from '../../infra/local/toolchain/postgres-server';
import { type OpenDatabase, openDatabase } from '../../sql/database';
import { migrate } from '../../sql/migrate';

const TEMPLATE = 'meridian_template';

type Role = 'postgres' | 'meridian' | 'meridian_reader';

/** The local stack's PostgreSQL with its roles and PostGIS, private to a test file, with a migrated template database. */
export interface TestServer {
  config(database: string, role: Role): PoolConfig;
  stop(): Promise<void>;
}

/** A database of its own, cloned from the template; its pool is the product's role, as a worker has it. */
export interface TestDatabase extends OpenDatabase {
  /** What a client needs as the product's role. */
  readonly config: PoolConfig;
  configOf(role: Role): PoolConfig;
  /** Drops the database, and ends the server that was started for it alone. */
  stop(): Promise<void>;
}

export async function startTestServer(): Promise<TestServer> {
  const server = await postgresServer.locate();
  if (server === undefined) throw new Error(`${postgresServer.title} was not found: run \`npx meridian up\` once, or \`npm test\``);
  const home = mkdtempSync(join(tmpdir(), 'meridian-pg-'));
  const env = await startPostgres({ home, server, port: await freePort() });
  const passwords = ensurePasswords(home);
  const started: TestServer = {
    config: (database, role) => ({ host: env.PGHOST, port: Number(env.PGPORT), database, user: role, password: passwords[role] }),
    async stop() {
      await stopProcess(home, POSTGRES);
      removeCluster(home);
      rmSync(home, { recursive: true, force: true });
    },
  };
  try {
    await prepareTemplate(started);
  } catch (error) {
    await started.stop();
    throw error;
  }
  return started;
}

/** @param given - where a test file wants several databases, or the server itself; else one is started for this database */
export async function createTestDatabase(given?: TestServer): Promise<TestDatabase> {
  const server = given ?? (await startTestServer());
  const name = `test_${randomBytes(6).toString('hex')}`;
  const admin = server.config('postgres', 'postgres');
  await runOnce(admin, `create database ${name} template ${TEMPLATE} owner meridian`);
  const config = server.config(name, 'meridian');
  const opened = openDatabase({ ...config, max: 30 });
  return {
    ...opened,
    config,
    configOf: (role) => server.config(name, role),
    async stop() {
      await opened.close();
      if (given === undefined) await server.stop();
      else await runOnce(admin, `drop database ${name} with (force)`);
    },
  };
}

/** Runs one statement on a connection of its own. */
export async function runOnce(config: PoolConfig, statement: string): Promise<void> {
  const client = new Client(config);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

async function prepareTemplate(server: TestServer): Promise<void> {
  const admin = server.config('postgres', 'postgres');
  // Nothing here outlives the test: a crash of the machine may lose it.
  await runOnce(admin, 'alter system set fsync = off');
  await runOnce(admin, 'select pg_reload_conf()');
  await runOnce(admin, `create database ${TEMPLATE} owner meridian`);
  await runOnce(server.config(TEMPLATE, 'postgres'), 'create extension postgis');
  const { db, close } = openDatabase(server.config(TEMPLATE, 'meridian'));
  try {
    await migrate(db);
  } finally {
    await close();
  }
}
