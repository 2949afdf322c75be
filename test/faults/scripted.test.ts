import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline as piped } from 'node:stream/promises';
import { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { openDatabase } from '../../sql/database';
import { createTransformDocumentActivities } from '../../activities/transform-documents';
import { cycleId } from '../../domain/cycle';
import type { JobManifest } from '../../domain/documents';
import { type LocalAws, startLocalAws } from '../support/local-aws';
import { startTestServer, type TestServer } from '../support/postgres';
import { faultPipeline } from './pipeline';
import { type Checked, LAKE, type Nights, openNights, SCRIPTED } from './scripted/nights';

const spec = faultPipeline('s1-scripted');
const [POINTS, TOTALS] = ['s1_scripted_points', 's1_scripted_totals'];
const ADDED_ROWS = 230;
const KEPT_ROWS = 20;
const KEPT = { key: 'kept.parquet', rowCount: KEPT_ROWS, added: false };

let aws: LocalAws;
let server: TestServer;
let nights: Nights;

beforeAll(async () => {
  [aws, server] = await Promise.all([startLocalAws({ ...SCRIPTED, MERIDIAN_SPARK_CONCURRENCY: '2' }), startTestServer()]);
  nights = await openNights(aws, spec.name);
  await nights.store(KEPT.key, KEPT_ROWS, 1);
}, 60_000);

afterAll(async () => {
  nights.close();
  await Promise.all([aws.stop(), server.stop()]);
});

/** Loads a relation's parts into a table of the declared columns. @returns rows that each part held */
async function load(client: Client, manifest: JobManifest, name: string): Promise<readonly (number | null)[]> {
  const relation = manifest.relations.find((each) => each.name === name);
  const columns = (relation?.columns ?? []).map((column) => `${column.name} ${column.type}`);
  await client.query(`drop table if exists ${name}; create table ${name} (${columns.join(', ')})`);
  const counts: (number | null)[] = [];
  for (const part of relation?.copyParts ?? []) {
    const bytes = await nights.read(part.uri);
    expect(part).toMatchObject({ etag: `"${createHash('md5').update(bytes).digest('hex')}"`, sizeBytes: bytes.length });
    const stream = client.query(copyFrom(`copy ${name} from stdin (format binary)`));
    await piped(Readable.from([bytes]), stream);
    counts.push(stream.rowCount);
  }
  return counts;
}

async function withDatabase<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(server.config('meridian_template', 'postgres'));
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

const verdicts = ({ rules }: Checked) => rules.map(({ Result }) => Result);
const rowCount = ({ rules }: Checked) => rules[0]?.EvaluatedMetrics?.['Dataset.*.RowCount'];
const saying = (text: string) => expect.stringContaining(text) as string;

describe('a night whose Spark and Glue work scripts do', () => {
  test('has a manifest that the product takes, parts that PostgreSQL takes, and rows that the gate passes and fails (S2.17, S2.36)', async () => {
    const cycle = nights.cycle(2);
    const total = ADDED_ROWS + KEPT_ROWS;
    await nights.store('added.parquet', ADDED_ROWS, 2);

    const run = await nights.transform(2, [KEPT, { key: 'added.parquet', rowCount: ADDED_ROWS, added: true }]);

    expect(run).toMatchObject({ state: 'SUCCESS' });
    const database = openDatabase(server.config('meridian_template', 'postgres'));
    const product = createTransformDocumentActivities({ ...nights, db: database.db, jobsUri: 's3://unused/jobs', buckets: LAKE, liveStorageFiles: async () => [] });
    await database.close();
    expect(await product.readJobManifest({ cycle, spec })).toMatchObject({
      inputRows: total,
      relations: [
        { name: POINTS, rows: total, addedRows: ADDED_ROWS, parts: 4 },
        { name: TOTALS, rows: 1, parts: 1 },
      ],
    });
    const manifest = await nights.manifest(2);
    expect(manifest.relations.map(({ columns }) => columns)).toEqual(spec.relations.map(({ columns }) => columns));
    await withDatabase(async (client) => {
      expect(await load(client, manifest, POINTS ?? '')).toEqual([100, 100, 30, 20]);
      expect(await load(client, manifest, TOTALS ?? '')).toEqual([1]);
      const { rows } = await client.query(
        `select count(*)::int as rows, array_agg(distinct st_srid(geom)) as srids, sum(raw_line)::int as lines, array_agg(distinct night) as nights,
           count(*) filter (where cycle_id = '${cycleId(cycle)}' and generation = 1)::int as added,
           bool_and(st_x(geom) = longitude and st_y(geom) = latitude and st_x(geom) = raw_line / 10.0::float8) as placed,
           bool_and(event_time = timestamptz '2024-01-01 00:00:00Z' + raw_line * interval '1 second') as timed,
           bool_and(device_id = 'd' || raw_line || case when raw_line % 10 = 0 then chr(65533) else '' end) as named
         from ${POINTS}`,
      );
      const lines = (count: number) => (count * (count - 1)) / 2;
      const sums = { rows: total, lines: lines(ADDED_ROWS) + lines(KEPT_ROWS), added: ADDED_ROWS };
      expect(rows).toEqual([{ ...sums, srids: [4326], nights: [cycle.intervalEnd], placed: true, timed: true, named: true }]);
      expect((await client.query(`select * from ${TOTALS}`)).rows).toEqual([{ night: cycle.intervalEnd, records: String(total) }]);
    });
    const added = await nights.check(2, 'added', spec.quality.added);
    expect([added.status, verdicts(added), rowCount(added)]).toEqual(['SUCCEEDED', ['PASS', 'PASS'], ADDED_ROWS]);
    // The kept records repeat the first of the added ones, so that the key is none.
    const served = await nights.check(2, 'served', spec.quality.served);
    expect([served.status, verdicts(served), rowCount(served)]).toEqual(['SUCCEEDED', ['PASS', 'FAIL'], total]);
  }, 30_000);

  test('does what the scenario wants of its transform, and its manifest says what such a job would say (I1, S2.36)', async () => {
    const outcomes = { 3: 'fail', 4: 'no-manifest', 5: 'lose-row', 6: 'double-row', 7: 'empty', 8: 'fial' };
    const lost = { 9: { transform: { outcome: 'lose-row', in: 'copy' } } };
    await nights.wish({ ...lost, ...Object.fromEntries(Object.entries(outcomes).map(([day, outcome]) => [day, { transform: { outcome } }])) });

    const runs = await Promise.all([3, 4, 5, 6, 7, 8, 9].map((day) => nights.transform(day, [KEPT])));

    expect(runs.map(({ state }) => state)).toEqual(['FAILED', 'SUCCESS', 'SUCCESS', 'SUCCESS', 'SUCCESS', 'FAILED', 'SUCCESS']);
    expect([runs[0]?.stateDetails, runs[5]?.stateDetails]).toEqual([saying('ExitCode: 1'), saying('"fial" is not known')]);
    await expect(nights.manifest(4)).rejects.toMatchObject({ name: 'NoSuchKey' });
    const claimed = async (day: number) => (await nights.manifest(day)).relations.map(({ rows }) => rows);
    expect([await claimed(5), await claimed(6), await claimed(7)]).toEqual([[KEPT_ROWS, 1], [KEPT_ROWS + 1, 1], [0, 0]]);
    const loaded = (day: number) => withDatabase(async (client) => load(client, await nights.manifest(day), POINTS ?? ''));
    expect([await loaded(5), await loaded(6), await loaded(9)]).toEqual([[KEPT_ROWS - 1], [KEPT_ROWS + 1], [KEPT_ROWS - 1]]);
    const served = (day: number) => nights.check(day, 'served', spec.quality.served);
    expect([rowCount(await served(5)), rowCount(await served(9))]).toEqual([KEPT_ROWS - 1, KEPT_ROWS]);
    expect([verdicts(await served(6)), verdicts(await served(7))]).toEqual([['PASS', 'FAIL'], ['FAIL', 'ERROR']]);
  }, 30_000);

  test('does what the scenario wants of its checks, each step apart (S2.17, I2)', async () => {
    await nights.transform(10, [KEPT]);
    const given = async (options: object) => {
      await nights.wish({ 10: { check: options } });
      return nights.check(10, 'served', spec.quality.served);
    };

    expect(verdicts(await given({}))).toEqual(['PASS', 'PASS']);
    expect(verdicts(await given({ outcome: 'fail-rule' }))).toEqual(['FAIL', 'PASS']);
    expect(verdicts(await given({ served: { outcome: 'error-rule' } }))).toEqual(['PASS', 'ERROR']);
    expect(verdicts(await given({ added: { outcome: 'error-rule' } }))).toEqual(['PASS', 'PASS']);
    expect((await given({ outcome: 'missing-rule' })).rules.map(({ Description }) => Description)).toEqual([spec.quality.served[0]]);
    expect(rowCount(await given({ outcome: 'no-rows' }))).toBeUndefined();
    expect(rowCount(await given({ outcome: 'wrong-count' }))).toBe(KEPT_ROWS - 1);
    expect(await given({ outcome: 'error' })).toMatchObject({ status: 'FAILED', error: saying('scenario') });
    expect(await given({ outcome: 'pas' })).toMatchObject({ status: 'FAILED', error: saying('"pas" is not known') });
  }, 30_000);

  test('evaluates the rules as Deequ does: a range without its ends, no PASS without evidence, none that it does not know (S2.17)', async () => {
    const rules = {
      'RowCount between 20 and 30': 'FAIL',
      'RowCount >= 20': 'PASS',
      'IsComplete "raw_line"': 'PASS',
      'Completeness "device_id" > 0.9': 'PASS',
      'IsPrimaryKey "raw_line"': 'PASS',
      'IsPrimaryKey "night"': 'FAIL',
      'ColumnValues "longitude" between -0.1 and 2': 'PASS',
      'ColumnValues "longitude" between 0 and 2': 'FAIL',
      'ColumnValues "latitude" > 0.5': 'FAIL',
      'IsComplete "absent"': 'ERROR',
    };
    await nights.transform(11, [KEPT]);

    const checked = await nights.check(11, 'served', Object.keys(rules));

    expect(Object.fromEntries(checked.rules.map(({ Description, Result }) => [Description, Result]))).toEqual(rules);
    expect(checked.rules[4]?.EvaluatedMetrics).toEqual({ 'Column.raw_line.Completeness': 1, 'Column.raw_line.Uniqueness': 1 });
    expect(checked.rules[6]?.EvaluatedMetrics).toEqual({ 'Column.longitude.Minimum': 0, 'Column.longitude.Maximum': 1.9 });
    const unknown = await nights.check(11, 'served', ['Uniqueness "raw_line" > 0.5']);
    expect(unknown).toMatchObject({ status: 'FAILED', error: saying('does not know the rule') });
  }, 30_000);
});
