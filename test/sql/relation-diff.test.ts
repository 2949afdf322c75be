import { setTimeout as sleep } from 'node:timers/promises';
import { diffRelation } from '../../activities/dry-run/diff';
import { dropShadow } from '../../activities/dry-run/drop';
import type { CycleRef } from '../../domain/cycle';
import type { RelationDiff } from '../../domain/dry-run';
import type { PipelineSpec, RelationSpec } from '../../domain/pipeline-spec';
import { shadowPipeline } from '../../domain/shadow-pipeline';
import { findSnapshotHolders } from '../../sql/queries/backends';
import type { VersionRow } from '../../sql/queries/versions';
import { createTestDatabase, type TestDatabase } from '../support/postgres';
import { createActivities, nightEnding, openNight, run, spec as base } from './fixture';
import { type ObjectStore, startObjectStore } from './object-store';

const relation: RelationSpec = {
  name: 'sights',
  view: 'vw_sights',
  columns: [
    { name: 'id', type: 'bigint' },
    { name: 'zone', type: 'text' },
    { name: 'seen_at', type: 'timestamptz' },
    { name: 'geom', type: 'geometry(Point,4326)' },
    { name: 'speed', type: 'double precision' },
    { name: 'moving', type: 'boolean' },
    { name: 'cycle_id', type: 'text' },
    { name: 'raw_line', type: 'bigint' },
  ],
  key: ['id', 'zone'],
  indexes: [],
  mayBeEmpty: false,
};
const spec: PipelineSpec = { ...base, name: 'sights', dataset: 'sights', relations: [relation], quality: { ...base.quality, relation: 'sights' } };
const shadow = shadowPipeline(spec);
let database: TestDatabase;
let store: ObjectStore;
let day = 1;

beforeAll(async () => {
  [database, store] = await Promise.all([createTestDatabase(), startObjectStore()]);
}, 60_000);
afterAll(async () => {
  await Promise.all([database.stop(), store.stop()]);
});

/** A version of either pipeline with the rows that `query` gives. */
async function version(of: PipelineSpec, query: string, state: 'promoted' | 'loaded', columns = relation.columns): Promise<VersionRow & { readonly cycle: CycleRef }> {
  const activities = createActivities(database, store.s3, async () => true);
  const { cycle } = await openNight(activities, nightEnding((day += 1)), of);
  const [{ name } = relation] = of.relations;
  const table = `${name}_v${day}`;
  const definitions = columns.map((column) => `"${column.name}" ${column.type}`).join(', ');
  await database.pool.query(`create table public.${table} (${definitions}); insert into public.${table} ${query}`);
  await database.pool.query(`update meridian.version set state = 'retired' where relation = '${name}' and state = 'promoted'`);
  await database.pool.query(
    `insert into meridian.version (relation, version, table_name, pipeline, interval_end, generation, state, columns, base_sequence, rows)
     values ($1, $2, $3, $4, $5, $6, $7, $8, 0, 0)`,
    [name, day, table, cycle.pipeline, cycle.intervalEnd, cycle.generation, state, JSON.stringify(columns)],
  );
  return { relation: name, version: day, table, state, columns, rows: 0, cycle };
}

const row = (id: string | number, zone: string, rest: Readonly<Record<string, string>> = {}) => {
  const { seen = '2018-08-01 10:00Z', x = '8.5', speed = '1.5', moving = 'true', cycle = 'night', line = '1' } = rest;
  return `(${id}::bigint, ${zone === 'null' ? 'null' : `'${zone}'`}::text, timestamptz '${seen}', st_setsrid(st_makepoint(${x}, 47), 4326), ${speed}::float8, ${moving}::boolean, '${cycle}'::text, ${line}::bigint)`;
};
const values = (...rows: readonly string[]) => `values ${rows.join(', ')}`;
const diff = (made: VersionRow, of = relation): Promise<RelationDiff> => run((shadowVersion: VersionRow) => diffRelation(database.pool, of, shadowVersion), made);
const drop = (cycle: CycleRef) => run((given: CycleRef) => dropShadow(database.db, given, shadow), cycle);

test('rows are added, removed or changed by key, a null in it being a value like others; where a row came from makes no difference (X4)', async () => {
  const live = await version(spec, values(row(1, 'a'), row(2, 'a'), row(3, 'null'), row(4, 'gone'), row(5, 'b', { cycle: 'old', line: '7' })), 'promoted');
  const made = await version(
    shadow,
    values(row(1, 'a'), row(2, 'a', { x: '9', moving: 'null' }), row(3, 'null', { seen: '2018-08-02 10:00Z' }), row(5, 'b', { cycle: 'new', line: '9' }), row(6, 'new'), row('null', 'null')),
    'loaded',
  );

  const found = await diff(made);

  expect(found).toMatchObject<Partial<RelationDiff>>({
    ...{ relation: 'sights', view: 'vw_sights', liveVersion: live.version, before: 5, after: 6, added: 2, removed: 1, changed: 2 },
    changedColumns: { geom: 1, moving: 1, seen_at: 1 },
    newColumns: [],
  });
  expect(found.samples).toEqual({
    added: [expect.objectContaining({ id: 6, zone: 'new', geom: 'SRID=4326;POINT(8.5 47)', seen_at: '2018-08-01T10:00:00+00:00' }), expect.objectContaining({ id: null, zone: null })],
    removed: [expect.objectContaining({ id: 4, zone: 'gone' })],
    changed: [
      { key: { id: 2, zone: 'a' }, before: { geom: 'SRID=4326;POINT(8.5 47)', moving: true }, after: { geom: 'SRID=4326;POINT(9 47)', moving: null } },
      { key: { id: 3, zone: null }, before: { seen_at: '2018-08-01T10:00:00+00:00' }, after: { seen_at: '2018-08-02T10:00:00+00:00' } },
    ],
  });
  const measured = (name: string) => [found.metrics.before, found.metrics.after].map((side) => side?.find((each) => each.name === name));
  expect(measured('zone')).toEqual([{ name: 'zone', nulls: 1 }, { name: 'zone', nulls: 2 }]);
  expect(measured('seen_at')[1]).toEqual({ name: 'seen_at', nulls: 0, min: '2018-08-01 10:00:00+00', max: '2018-08-02 10:00:00+00' });
  expect(measured('geom')).toEqual([{ name: 'geom', nulls: 0, box: 'BOX(8.5 47,8.5 47)' }, { name: 'geom', nulls: 0, box: 'BOX(8.5 47,9 47)' }]);
});

test('doubles are the same within a billionth: an average that was summed in another order is no change, and no double breaks the comparison (X4)', async () => {
  const pairs: readonly (readonly [before: string, after: string, differs: boolean])[] = [
    ['0.1', '0.10000000000000002', false],
    ["'1e308'", "'-1e308'", true],
    ["'5e-324'", '0', true],
    ["'NaN'", "'NaN'", false],
    ["'NaN'", '1', true],
    ["'Infinity'", "'-Infinity'", true],
    ["'Infinity'", "'1e308'", true],
    ['null', 'null', false],
    ['null', '0', true],
    ['1', '1.000001', true],
    ['0', '-0.0', false],
  ];
  await version(spec, values(...pairs.map(([before], id) => row(id, 'a', { speed: before }))), 'promoted');

  const found = await diff(await version(shadow, values(...pairs.map(([, after], id) => row(id, 'a', { speed: after }))), 'loaded'));

  const expected = pairs.flatMap(([, , differs], id) => (differs ? [id] : []));
  expect(found.samples.changed.map(({ key }) => key['id'])).toEqual(expected);
  expect(found).toMatchObject({ added: 0, removed: 0, changed: expected.length, changedColumns: { speed: expected.length } });
});

test('before anything is served every row is new; samples are few and in the order of the key, counts are of all (X4)', async () => {
  await database.pool.query("update meridian.version set state = 'retired' where relation = 'sights'");
  const made = await version(shadow, `select i, 'z', now(), null, i, null, 'c', i from generate_series(1, 5000) i order by random()`, 'loaded');

  const found = await diff(made);

  expect(found).toMatchObject({ before: 0, after: 5_000, added: 5_000, removed: 0, changed: 0, metrics: { after: expect.anything() as unknown } });
  expect(found).not.toHaveProperty('liveVersion');
  expect(found.samples.added.map((each) => each['id'])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

test('an appended column is told and not compared; a key that the served version cannot have makes all rows others (X4, S0.16)', async () => {
  const older = relation.columns.slice(0, 6);
  await version(spec, `select * from (${values(row(1, 'a'))}) v(id, zone, seen_at, geom, speed, moving, cycle_id, raw_line)`.replace('select *', 'select id, zone, seen_at, geom, speed, moving'), 'promoted', older);
  const made = await version(shadow, values(row(1, 'a'), row(2, 'a')), 'loaded');

  expect(await diff(made)).toMatchObject({ added: 1, changed: 0, newColumns: ['cycle_id', 'raw_line'] });
  const rekeyed = await diff(made, { ...relation, key: ['id', 'raw_line'] });
  expect(rekeyed).toMatchObject({ added: 2, removed: 1, changed: 0, samples: { added: [{}, {}], removed: [{ id: 1 }], changed: [] } });
});

test('a comparison holds no lock that a promotion needs, is none of the readers that one waits for, and writes nothing (X4, X2)', async () => {
  await version(spec, `select i, 'z', now(), null, i, null, 'c', i from generate_series(1, 200000) i`, 'promoted');
  const made = await version(shadow, `select i, 'z', now(), null, i + 1, null, 'c', i from generate_series(1, 200000) i`, 'loaded');
  await database.pool.query(`create or replace view public.vw_sights as select * from public.sights_v${day - 1}`);
  const comparing = diff(made);
  const locked = async () => {
    const { rows } = await database.pool.query<{ name: string; mode: string }>(
      `select c.relname as name, l.mode from pg_locks l join pg_class c on c.oid = l.relation where c.relname ~ 'sights' and l.pid <> pg_backend_pid()`,
    );
    return rows;
  };
  let seen: readonly { name: string; mode: string }[] = [];
  for (let tries = 0; new Set(seen.map(({ name }) => name)).size < 2 && tries < 1_000; tries += 1) {
    seen = await locked();
    await sleep(2);
  }

  const holders = await findSnapshotHolders(database.db);
  await database.pool.query("set statement_timeout = '200ms'; create or replace view public.vw_sights as select * from public.sights_v" + String(day - 1) + '; reset statement_timeout');

  expect([...new Set(seen.map(({ name }) => name))].sort()).toEqual([`sights__dry_v${day}`, `sights_v${day - 1}`]);
  expect([...new Set(seen.map(({ mode }) => mode))]).toEqual(['AccessShareLock']);
  expect(holders).toEqual([]);
  expect(await comparing).toMatchObject({ changed: 200_000, changedColumns: { speed: 200_000 } });
});

test('the shadow goes with its view, twice is no matter; what somebody built on it is theirs, and is named (X4, I7)', async () => {
  const { cycle, table } = await version(shadow, values(row(1, 'a')), 'promoted');
  await database.pool.query(`create or replace view public.vw_sights__dry as select * from public.${table}; create view public.mine as select * from public.vw_sights__dry`);

  await expect(drop(cycle)).rejects.toThrow(/cannot be dropped: .*vw_sights__dry.*Drop what was built on it/);
  await database.pool.query('drop view public.mine');
  expect(await drop(cycle)).toEqual([table]);
  expect(await drop(cycle)).toEqual([]);

  const { rows } = await database.pool.query<{ there: boolean }>(`select to_regclass('public.${table}') is not null or to_regclass('public.vw_sights__dry') is not null as there`);
  expect(rows).toEqual([{ there: false }]);
});
