import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { nightEnd } from '../../test/faults/raw-night';
import { createActivities, openNight, putJobOutput, run, spec } from '../../test/sql/fixture';
import { startObjectStore } from '../../test/sql/object-store';
import { createTestDatabase } from '../../test/support/postgres';
import { relationOf } from '../../activities/job-relation';
import type { BenchContext, Benchmark } from '../benchmark';
import { ROOT } from '../checkout';
import { type Peers, peers } from '../engines/peers';
import { type PythonChild, startPython } from '../engines/python-child';
import { combined, measured, median, type Usage } from '../measure';
import { held, type Result, told } from '../results';

const WAYS = join(ROOT, 'bench/cases/spark/ways.py');
const SEDONA_DB = join(ROOT, 'bench/cases/spark/sedona_db.py');
const STREAMS = 2; // one for each core
const RELATION = 'places';

/** What Spark would do without us: writing tables by JDBC, and a spatial join without an index (S0.2, S0.3, S0.11). */
export const spark: Benchmark = {
  name: 'spark',
  title: "what do COPY-ready parts save against Spark's JDBC, and Sedona's index against a plain join?",
  async run(context) {
    const fetched = await peers();
    context.note('a Spark session');
    const session = await startPython(WAYS, [context.scratch], { JDBC_JAR: fetched.jdbcJar });
    try {
      const parts = [await loadsAgainst(context, session), await joinsAgainst(context, session, fetched)];
      return { results: parts.flatMap(({ results }) => results), usage: combined(parts.flatMap(({ usages }) => usages)) };
    } finally {
      await session.stop();
    }
  },
};

interface Measured {
  readonly results: readonly Result[];
  readonly usages: readonly Usage[];
}

/** The same rows to the same table and to the same indexes, by turns. */
async function loadsAgainst({ quick, note }: BenchContext, session: PythonChild): Promise<Measured> {
  const rows = quick ? 20_000 : 1_000_000;
  const [test, store] = await Promise.all([createTestDatabase(), startObjectStore()]);
  try {
    const activities = createActivities(test, store.s3, async () => true);
    const manifest = await putJobOutput(test, store.s3, (await openNight(activities, nightEnd(1))).cycle, { rows, parts: 8, night: 'bench' });
    const { indexes } = relationOf(spec, RELATION);
    const { host, port, database, user, password } = test.config;
    const connection = { url: `jdbc:postgresql://${host}:${port}/${database}?reWriteBatchedInserts=true&stringtype=unspecified`, user, password };
    const sides = { ours: [] as Usage[], jdbc: [] as Usage[], oursReady: [] as Usage[], jdbcReady: [] as Usage[] };
    await test.pool.query(`create table warm_up (id bigint, seen_at timestamptz, geom geometry(Point,4326), night text)`);
    await session.order({ way: 'load', rows: 1_000, streams: STREAMS, table: 'warm_up', ...connection });
    for (let round = 0; round < (quick ? 1 : 3); round += 1) {
      note(`${rows.toLocaleString('en-US')} rows, ${STREAMS} at once, by COPY and by JDBC`);
      const { cycle, epoch } = await openNight(activities, nightEnd(round + 2));
      const { version, table } = await run(activities.createCandidate, { cycle, spec, epoch, relation: RELATION, manifest });
      const candidate = { cycle, spec, relation: RELATION, version, table };
      await test.pool.query(`create table peer (like ${table})`);
      sides.jdbc.push((await measured([process.pid], () => session.order({ way: 'load', rows, streams: STREAMS, table: 'peer', ...connection }))).usage);
      sides.ours.push((await measured([process.pid], () => run(activities.loadRelation, { ...candidate, manifest, parallelism: STREAMS }))).usage);
      sides.oursReady.push((await measured([process.pid], () => run(activities.finishCandidate, { ...candidate, manifest }))).usage);
      const index = async () => {
        await test.pool.query(`create unique index on peer (${relationOf(spec, RELATION).key.join(', ')})`);
        for (const { method, columns } of indexes) await test.pool.query(`create index on peer using ${method} (${columns.join(', ')})`);
      };
      sides.jdbcReady.push((await measured([process.pid], index)).usage);
      const { rows: found } = await test.pool.query<{ ours: string; jdbc: string }>(`select (select count(*) from ${table}) as ours, (select count(*) from peer natural join ${table}) as jdbc`);
      if (Number(found[0]?.ours) !== rows || Number(found[0]?.jdbc) !== rows) throw new Error(`Expected the same ${rows} rows on both sides, found ${JSON.stringify(found)}`);
      await test.pool.query('drop table peer');
      await run(activities.dropCandidates, { cycle });
    }
    const seconds = (usages: readonly Usage[]) => median(usages.map((usage) => usage.seconds));
    const cpu = (usages: readonly Usage[]) => median(usages.map((usage) => usage.cpuSeconds));
    const name = (what: string) => `spark/load/${what}`;
    return {
      usages: sides.ours,
      results: [
        told(name('rate'), rows / seconds(sides.ours), 'rows/s by COPY'),
        told(name('jdbc-rate'), rows / seconds(sides.jdbc), 'rows/s by JDBC'),
        held(name('seconds-by-jdbc'), seconds(sides.ours) / seconds(sides.jdbc), "of JDBC's seconds", 'at most', 0.5),
        held(name('cpu-by-jdbc'), cpu(sides.ours) / cpu(sides.jdbc), "of JDBC's CPU-s, PostgreSQL's in both", 'at most', 0.5),
        held(
          name('ready-seconds-by-jdbc'),
          (seconds(sides.ours) + seconds(sides.oursReady)) / (seconds(sides.jdbc) + seconds(sides.jdbcReady)),
          `of JDBC's seconds with the same indexes, ours proved as well; ${(seconds(sides.ours) + seconds(sides.oursReady)).toFixed(1)} s`,
          'at most',
          1,
        ),
      ],
    };
  } finally {
    await Promise.all([test.stop(), store.stop()]);
  }
}

interface Found {
  readonly records: number;
  readonly pairs: number;
  readonly inCountries: number;
}

/** The job's SQL with Sedona's index; the same without; SedonaDB on one core. All must find the same. */
async function joinsAgainst({ quick, note, scratch }: BenchContext, session: PythonChild, { sedonaDb }: Peers): Promise<Measured> {
  const records = quick ? 4_000 : 100_000;
  note(`${records.toLocaleString('en-US')} positions in zones, by three ways`);
  const files = await writeAreas(join(scratch, 'join'), records);
  const order = { way: 'join', ...files };
  const alone = await startPython(SEDONA_DB, [], { PYTHONPATH: sedonaDb });
  try {
    await session.order({ ...order, indexed: true }); // compiles it
    const ways = { indexed: [] as Usage[], naive: [] as Usage[], alone: [] as Usage[] };
    for (let round = 0; round < (quick ? 1 : 3); round += 1) {
      const naive = await measured([session.pid], () => session.order<Found>({ ...order, indexed: false }));
      const single = await measured([alone.pid], () => alone.order<Found>(order));
      const ours = await measured([session.pid], () => session.order<Found>({ ...order, indexed: true }));
      expectSame(ours.result, { naive: naive.result, SedonaDB: single.result }, records);
      ways.naive.push(naive.usage);
      ways.alone.push(single.usage);
      ways.indexed.push(ours.usage);
    }
    const middle = (usages: readonly Usage[], of: 'seconds' | 'cpuSeconds') => median(usages.map((usage) => usage[of]));
    const name = (what: string) => `spark/join/${what}`;
    return {
      usages: ways.indexed,
      results: [
        told(name('rate'), records / middle(ways.indexed, 'seconds'), 'positions/s'),
        held(name('seconds-by-naive'), middle(ways.indexed, 'seconds') / middle(ways.naive, 'seconds'), "of the plain join's seconds", 'at most', 0.5),
        held(name('cpu-by-naive'), middle(ways.indexed, 'cpuSeconds') / middle(ways.naive, 'cpuSeconds'), "of the plain join's CPU-s", 'at most', 0.5),
        told(name('seconds-by-sedona-db'), middle(ways.indexed, 'seconds') / middle(ways.alone, 'seconds'), `of SedonaDB's on one core, ${middle(ways.alone, 'seconds').toFixed(2)} s`),
        told(name('cpu-by-sedona-db'), middle(ways.indexed, 'cpuSeconds') / middle(ways.alone, 'cpuSeconds'), `of SedonaDB's CPU-s, ${middle(ways.alone, 'cpuSeconds').toFixed(2)}`),
      ],
    };
  } finally {
    await alone.stop();
  }
}

/** @throws Error when a way found something else: its time means nothing then */
function expectSame(ours: Found, others: Readonly<Record<string, Found>>, records: number): void {
  const wrong = Object.entries(others).filter(([, found]) => JSON.stringify(sorted(found)) !== JSON.stringify(sorted(ours)));
  if (ours.records !== records || ours.pairs === 0 || wrong.length > 0) throw new Error(`Expected ${records} records and the same zones by every way, found ${JSON.stringify({ ours, ...others })}`);
}

function sorted({ records, pairs, inCountries }: Found): Found {
  return { records, pairs, inCountries };
}

/** Positions all over Europe; 60 airspaces and 40 countries that overlap, each of 257 points. */
async function writeAreas(dir: string, records: number): Promise<{ readonly records: string; readonly airspaces: string; readonly countries: string }> {
  mkdirSync(dir, { recursive: true });
  const files = { records: join(dir, 'records.parquet'), airspaces: join(dir, 'airspaces.parquet'), countries: join(dir, 'countries.parquet') };
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const connection = await instance.connect();
    // Irrational steps: no position lies on a border, which engines may count either way.
    await connection.run(`copy (select i as id, (i * 0.7548776662466927) % 1 * 50 - 10 as longitude, (i * 0.5698402909980532) % 1 * 35 + 35 as latitude
      from range(1, ${records + 1}) t(i)) to '${files.records}' (format parquet)`);
    await connection.run(`copy (${polygonsSql(60, 'zone', 4)}) to '${files.airspaces}' (format parquet)`);
    await connection.run(`copy (${polygonsSql(40, 'country', 3)}) to '${files.countries}' (format parquet)`);
    connection.closeSync();
  } finally {
    instance.closeSync();
  }
  return files;
}

const POINTS = 256;

/** Round areas, their middles spread over the same map. */
function polygonsSql(count: number, name: string, radius: number): string {
  const rows = Array.from({ length: count }, (_, index) => {
    const [longitude, latitude] = [((index * 0.618034) % 1) * 50 - 10, ((index * 0.414214) % 1) * 35 + 35];
    return `('${name} ${index}', unhex('${roundPolygon(longitude, latitude, radius).toString('hex')}'))`;
  });
  return `select * from (values ${rows.join(', ')}) t(name, geometry)`;
}

/** As well-known binary: one ring, little-endian. */
function roundPolygon(longitude: number, latitude: number, radius: number): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt8(1, 0);
  head.writeUInt32LE(3, 1);
  head.writeUInt32LE(1, 5);
  head.writeUInt32LE(POINTS + 1, 9);
  const ring = Float64Array.from({ length: (POINTS + 1) * 2 }, (_, at) => {
    const angle = (2 * Math.PI * (Math.floor(at / 2) % POINTS)) / POINTS;
    return at % 2 === 0 ? longitude + radius * Math.cos(angle) : latitude + radius * Math.sin(angle);
  });
  return Buffer.concat([head, Buffer.from(ring.buffer)]);
}
