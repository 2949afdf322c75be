import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ApplicationFailure } from '@temporalio/common';
import { sql } from 'kysely';
import type { PoolConfig } from 'pg';
import { mapped } from '../../worker/failure-interceptor';
import { StalePassword } from '../../worker/stale-password';
import { type OpenDatabase, openDatabase } from '../../sql/database';
import { migrations } from '../../sql/migrations';
import { createTestDatabase, startTestServer, type TestDatabase, type TestServer } from '../support/postgres';

const ROOT = join(__dirname, '../..');
let server: TestServer;
let test: TestDatabase;
let administrator: OpenDatabase;

beforeAll(async () => {
  server = await startTestServer();
  test = await createTestDatabase(server);
  administrator = openDatabase(server.config('postgres', 'postgres'));
});
afterAll(async () => {
  await administrator.close();
  await test.stop();
  await server.stop();
});

/** `meridian migrate` in a process of its own, as the task runs it before the worker. */
async function migrateBy(config: PoolConfig, ...args: readonly string[]) {
  const { host, port, user, password, database } = { ...test.config, ...config };
  const env = {
    ...process.env,
    MERIDIAN_HOME: '/nowhere',
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: String(password),
    PGDATABASE: database,
  };
  return promisify(execFile)(process.execPath, [join(ROOT, 'bin/meridian.js'), 'migrate', ...args], { env }).then(
    ({ stdout }) => ({ code: 0, stdout, stderr: '' }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
}

describe('A password that was rotated while a worker runs', () => {
  it('stops the worker, and the step is tried again by the next one instead of failing its cycle', async () => {
    const stale = openDatabase({ ...test.config, password: 'of last week' });
    let stops = 0;
    const interceptor = new StalePassword(() => stops++);
    const step = () => interceptor.execute({ args: [], headers: {} }, () => sql`select 1`.execute(stale.db));

    const failure = await step().catch((error: unknown) => mapped(error));

    expect(stops).toBe(1);
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(failure).toMatchObject({ type: 'StalePassword', nextRetryDelay: '30 seconds' });
    expect((failure as ApplicationFailure).nonRetryable).toBeFalsy();
    await stale.close();
  });

  it('is found in the cause of another error; any other refusal stays what it was', async () => {
    let stops = 0;
    const interceptor = new StalePassword(() => stops++);
    const failing = (error: Error) =>
      interceptor.execute({ args: [], headers: {} }, () => Promise.reject(error)).catch((thrown: unknown) => thrown);
    const refused = Object.assign(new Error('password authentication failed'), { code: '28P01' });
    const missing = Object.assign(new Error('no such database'), { code: '3D000' });

    expect(await failing(new Error('Promotion failed', { cause: refused }))).toMatchObject({ type: 'StalePassword' });
    expect(await failing(missing)).toBe(missing);
    expect(stops).toBe(1);
  });
});

describe('meridian migrate', () => {
  it('makes PostGIS and the schema in an empty database, and again changes nothing', async () => {
    const database = 'release';
    await sql`create database ${sql.id(database)}`.execute(administrator.db);

    const first = await migrateBy(server.config(database, 'postgres'), '--json', '--wait', '5');
    const second = await migrateBy(server.config(database, 'postgres'), '--json');

    expect([first.code, JSON.parse(first.stdout)]).toEqual([0, { applied: Object.keys(migrations).sort() }]);
    expect([second.code, JSON.parse(second.stdout)]).toEqual([0, { applied: [] }]);
  });

  it('says who can make PostGIS where its role may not, and waits for no password', async () => {
    const database = 'bare';
    await sql`create database ${sql.id(database)} owner meridian`.execute(administrator.db);

    const bare = await migrateBy({ database });
    const refused = await migrateBy({ database, password: 'guessed' }, '--wait', '60');

    expect([bare.code, bare.stderr]).toEqual([
      1,
      expect.stringContaining('as an administrator of the database, run "create extension postgis"') as string,
    ]);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringContaining('password authentication failed') as string,
    ]);
    expect(refused.stderr).not.toContain('does not answer yet');
  });

  it('waits for a database that does not answer, as long as it was told, and wrong usage is named', async () => {
    const { code, stderr } = await migrateBy({ port: 1 }, '--wait', '1');
    const usage = await migrateBy({}, '--wait', 'long');

    expect([code, stderr]).toEqual([1, expect.stringContaining('The database does not answer yet') as string]);
    expect([usage.code, usage.stderr]).toEqual([
      2,
      expect.stringContaining('--wait: expected a whole number of seconds, found "long"') as string,
    ]);
  });
});
