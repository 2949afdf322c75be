import { setTimeout as sleep } from 'node:timers/promises';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import { createActivities, loadCandidates, openNight, putJobOutput, run, spec } from '../../../test/sql/fixture';
import type { ObjectStore } from '../../../test/sql/object-store';
import { nightEnd } from '../../../test/faults/raw-night';
import { runOnce, type TestDatabase } from '../../../test/support/postgres';
import { measured, type Usage } from '../../measure';
import { type ReadTimes, readingDuring } from './view-readers';

/** One way to bring the same result to readers. */
export interface WayMeasured {
  /** CPU is the database server's alone. */
  readonly usage: Usage;
  readonly reads: ReadTimes;
}

export interface RefreshComparison {
  /** Nothing is refreshed: the readers alone. */
  readonly quiet: ReadTimes;
  readonly refresh: WayMeasured;
  readonly concurrently: WayMeasured;
  readonly ours: WayMeasured;
}

const READERS = 4;
const QUIET_MS = 2_000;
const PARTS = 4;
/** Round, of 257 points each: some half of the positions lie in one or more. */
const ZONES = 100;

/**
 * The result: positions of `rows` raw records, a third of them repeats, each once, as points with the zone that they lie in and a GiST
 * index. A materialized view has the database compute it; Meridian's database only takes what was computed elsewhere, so its work is COPY, indexes and the swap.
 */
export async function compareWithRefresh(test: TestDatabase, store: ObjectStore, rows: number): Promise<RefreshComparison> {
  const postmaster = await postmasterOf(test);
  const reader = test.configOf('meridian_reader');
  const distinct = Math.floor((rows * 2) / 3);
  const admin = test.configOf('meridian');
  await runOnce(
    admin,
    `create table public.raw as select i as arrival, i % ${distinct} as id, timestamptz '2018-08-01' + (i % ${distinct}) * interval '1 second' as seen_at,
       ((i % ${distinct}) % 180)::float8 as longitude, ((i % ${distinct}) % 90)::float8 as latitude from generate_series(0, ${rows - 1}) i`,
  );
  await runOnce(
    admin,
    `create table public.zones as select i || ' zone' as zone, st_buffer(st_setsrid(st_makepoint((i * 37) % 180, (i * 53) % 90), 4326), 6, 64) as geom
       from generate_series(1, ${ZONES}) i`,
  );
  await runOnce(admin, 'create index on public.zones using gist (geom)');
  await runOnce(
    admin,
    `create materialized view public.mv_places as select distinct on (seen_at, longitude, latitude) id, seen_at,
       st_setsrid(st_makepoint(longitude, latitude), 4326) as geom,
       (select min(zone) from public.zones where st_contains(zones.geom, st_setsrid(st_makepoint(longitude, latitude), 4326))) as night
       from public.raw order by seen_at, longitude, latitude, arrival`,
  );
  for (const index of ['unique index on public.mv_places (id)', 'index on public.mv_places using gist (geom)', 'index on public.mv_places using brin (seen_at)']) await runOnce(admin, `create ${index}`);
  await runOnce(admin, 'grant select on public.mv_places to meridian_reader');
  const activities = createActivities(test, store.s3, async () => true);
  await promote(1); // makes the view
  const readOf = (view: string) => `select count(*), max(night) from ${view} where id between 1000 and 1050`;
  const way = async (view: string, body: () => Promise<void>): Promise<WayMeasured> => {
    const { result, reads } = await readingDuring(reader, readOf(view), READERS, () => measured([postmaster], body));
    return { usage: result.usage, reads };
  };
  const { reads: quiet } = await readingDuring(reader, readOf(spec.relations[0]?.view ?? ''), READERS, () => sleep(QUIET_MS));
  const loaded = await prepare(2);
  const ours = await way(spec.relations[0]?.view ?? '', loaded);
  const refresh = await way('public.mv_places', () => runOnce(admin, 'refresh materialized view public.mv_places'));
  const concurrently = await way('public.mv_places', () => runOnce(admin, 'refresh materialized view concurrently public.mv_places'));
  return { quiet, refresh, concurrently, ours };

  async function promote(night: number): Promise<void> {
    await (await prepare(night))();
  }

  /** The job's output first, which Spark would have made: what is returned is the database's part. */
  async function prepare(night: number): Promise<() => Promise<void>> {
    const { cycle, epoch } = await openNight(activities, nightEnd(night));
    const manifest = await putJobOutput(test, store.s3, cycle, { rows: distinct, parts: PARTS, night: nightEnd(night) });
    return async () => {
      const versions = await loadCandidates(activities, { cycle, epoch }, spec, manifest);
      await run(activities.awaitSnapshots, { cycle, spec, versions });
      await run(activities.vacuumCandidates, { cycle, spec, versions });
      const { outcome } = await run(activities.promote, { cycle, spec, versions, epoch, metadata: {} });
      if (outcome !== 'promoted') throw new Error(`Night ${night} was expected to be promoted, and was ${outcome}`);
      await run(activities.closeCycle, { cycle, outcome, detail: '', counts: {} });
      await run(activities.releaseTurn, { cycle, epoch });
    };
  }
}

/** The server's first process, above all its backends. */
async function postmasterOf(test: TestDatabase): Promise<number> {
  const client = new Client(test.configOf('postgres'));
  await client.connect();
  try {
    const { rows } = await client.query<{ data_directory: string }>('show data_directory');
    return Number(readFileSync(join(rows[0]?.data_directory ?? '', 'postmaster.pid'), 'utf8').split('\n')[0]);
  } finally {
    await client.end();
  }
}
