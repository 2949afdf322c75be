import { openDatabase } from '../../sql/database';
import { migrate } from '../../sql/migrate';
import { migrations } from '../../sql/migrations';
import { runOnce, startTestServer, type TestServer } from '../support/postgres';

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

async function emptyDatabase(name: string) {
  await runOnce(server.config('postgres', 'postgres'), `create database ${name} owner meridian`);
  return openDatabase(server.config(name, 'meridian'));
}

it('migrates an empty database, and has nothing to do the second time', async () => {
  const { db, close } = await emptyDatabase('fresh');

  const applied = [await migrate(db), await migrate(db)];

  await close();
  expect(applied).toEqual([Object.keys(migrations), []]);
});

it('applies each migration once when three start at the same time', async () => {
  const opened = await emptyDatabase('at_once');
  const others = [openDatabase(server.config('at_once', 'meridian')), openDatabase(server.config('at_once', 'meridian'))];

  const applied = await Promise.all([opened, ...others].map(({ db }) => migrate(db)));

  await Promise.all([opened, ...others].map(({ close }) => close()));
  expect(applied.flat()).toEqual(Object.keys(migrations));
});

it('names the migration that failed, and why', async () => {
  const { db, pool, close } = await emptyDatabase('in_the_way');
  await pool.query('create schema meridian; create table meridian.load_part (a integer)');

  await expect(migrate(db)).rejects.toThrow(/0002-versions failed: .*"load_part" already exists/);

  await close();
});

it('reads int8 as a number, and refuses one that a number cannot hold', async () => {
  const { pool, close } = openDatabase(server.config('postgres', 'meridian'));

  expect((await pool.query('select 9007199254740991::bigint as n')).rows).toEqual([{ n: 9007199254740991 }]);
  await expect(pool.query('select 9007199254740993::bigint as n')).rejects.toThrow('does not fit a number');

  await close();
});
