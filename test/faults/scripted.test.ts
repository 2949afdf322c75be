import { createHash, randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline as piped } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateApplicationCommand, EMRServerlessClient, GetJobRunCommand, type JobRun, StartJobRunCommand } from '@aws-sdk/client-emr-serverless';
import {
  CreateDatabaseCommand,
  CreateDataQualityRulesetCommand,
  CreatePartitionCommand,
  CreateTableCommand,
  type DataQualityRuleResult,
  GetDataQualityResultCommand,
  GetDataQualityRulesetEvaluationRunCommand,
  GlueClient,
  StartDataQualityRulesetEvaluationRunCommand,
} from '@aws-sdk/client-glue';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { createTransformDocumentActivities } from '../../activities/transform-documents';
import { type CycleRef, cycleId, generationPrefix } from '../../domain/cycle';
import type { JobManifest, TransformInput } from '../../domain/documents';
import { intervalEndingAt } from '../../domain/data-interval';
import { rulesetName, rulesetText, type QualityStep } from '../../domain/ruleset';
import { type LocalAws, startLocalAws } from '../support/local-aws';
import { startTestServer, type TestServer } from '../support/postgres';
import { faultPipeline, relationPrefix } from './pipeline';

const SCRIPTS = join(__dirname, 'scripted');
const NAME = 's1-scripted';
const PREFIX = relationPrefix(NAME);
const spec = faultPipeline(NAME);
const ADDED_ROWS = 230;
const KEPT_ROWS = 20;
const LAKE = { storage: 'storage', refined: 'refined', quarantine: 'quarantine', artifacts: 'lake-artifacts' };

let aws: LocalAws;
let server: TestServer;
let s3: S3Client;
let emr: EMRServerlessClient;
let glue: GlueClient;
let applicationId: string;

beforeAll(async () => {
  [aws, server] = await Promise.all([
    startLocalAws({
      MERIDIAN_SPARK_SUBMIT: join(SCRIPTS, 'transform.py'),
      MERIDIAN_QUALITY_EVALUATOR: join(SCRIPTS, 'evaluate.py'),
    }),
    startTestServer(),
  ]);
  s3 = new S3Client(aws.clientConfig);
  emr = new EMRServerlessClient(aws.clientConfig);
  glue = new GlueClient(aws.clientConfig);
  for (const bucket of Object.values(LAKE)) await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  await put(LAKE.artifacts, 'jobs/positions.py', 'raise SystemExit("never run: a script does its work")');
  await put(LAKE.artifacts, 'jobs/meridian_jobs.zip', 'no archive: nobody opens it');
  const made = await emr.send(new CreateApplicationCommand({ name: 'm', releaseLabel: 'emr-7.5.0', type: 'SPARK', clientToken: randomUUID() }));
  applicationId = made.applicationId ?? '';
  await storeRecords('kept.parquet', KEPT_ROWS, cycleId(cycleOf(1)));
  await glue.send(new CreateDatabaseCommand({ DatabaseInput: { Name: 'lake' } }));
  await glue.send(
    new CreateTableCommand({
      DatabaseName: 'lake',
      TableInput: {
        Name: `${PREFIX}_candidate`,
        StorageDescriptor: { Columns: [{ Name: 'device_id', Type: 'string' }], Location: 's3://refined/' },
        PartitionKeys: [
          { Name: 'run_id', Type: 'string' },
          { Name: 'origin', Type: 'string' },
        ],
      },
    }),
  );
}, 60_000);

afterAll(async () => {
  for (const client of [s3, emr, glue]) client.destroy();
  await Promise.all([aws.stop(), server.stop()]);
});

/** The cycle of January `day`, 2024. */
function cycleOf(day: number): CycleRef {
  const { start, end } = intervalEndingAt(`2024-01-${String(day).padStart(2, '0')}T00:00:00Z`, 24);
  return { pipeline: NAME, dataset: PREFIX, intervalStart: start, intervalEnd: end, generation: 1 };
}

async function put(bucket: string, key: string, body: string | Uint8Array): Promise<void> {
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
}

async function read(uri: string): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: uri.split('/')[2], Key: uri.split('/').slice(3).join('/') }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}

/** A storage file as dedup writes it: record i at (i / 10, i / 100), i seconds into the year; every tenth device has a NUL. */
async function storeRecords(key: string, rows: number, id: string): Promise<void> {
  const file = join(aws.home, key);
  const script = `import sys, duckdb
duckdb.execute(f"""copy (select timestamp '2024-01-01' + to_seconds(i) as event_time, 'd' || i || if(i % 10 = 0, chr(0), '') as device_id,
  i / 10.0::double as longitude, i / 100.0::double as latitude, '{sys.argv[3]}' as cycle_id, 1::integer as generation,
  'night.jsonl' as raw_object, 'null' as raw_version, i as raw_line from range({sys.argv[2]}) t(i)) to '{sys.argv[1]}' (format parquet)""")`;
  execFileSync(aws.python, ['-c', script, file, String(rows), id]);
  await put(LAKE.storage, key, readFileSync(file));
}

type StoredFile = readonly [key: string, rowCount: number, added: boolean];

/** StartJobRun as the worker asks for it, until the run has ended. */
async function transform(cycle: CycleRef, stored: readonly StoredFile[]): Promise<JobRun> {
  const rowsOf = (files: readonly StoredFile[]) => files.reduce((sum, [, rowCount]) => sum + rowCount, 0);
  const document: TransformInput = {
    cycle,
    cycleId: cycleId(cycle),
    files: stored.map(([key, rowCount, added]) => ({ uri: `s3://${LAKE.storage}/${key}`, rowCount, added })),
    rowCount: rowsOf(stored),
    addedRowCount: rowsOf(stored.filter(([, , added]) => added)),
    references: {},
    outputUri: `s3://${LAKE.refined}/${generationPrefix(cycle)}/`,
    quarantineUri: `s3://${LAKE.quarantine}/${generationPrefix(cycle)}/transform/`,
  };
  const key = `cycles/${generationPrefix(cycle)}/transform/input.json`;
  await put(LAKE.artifacts, key, JSON.stringify(document));
  const { jobRunId } = await emr.send(
    new StartJobRunCommand({
      applicationId,
      clientToken: randomUUID(),
      executionRoleArn: 'arn:aws:iam::000000000000:role/spark-job',
      jobDriver: {
        sparkSubmit: {
          entryPoint: `s3://${LAKE.artifacts}/jobs/positions.py`,
          entryPointArguments: [`s3://${LAKE.artifacts}/${key}`],
          sparkSubmitParameters: `--py-files s3://${LAKE.artifacts}/jobs/meridian_jobs.zip --conf spark.a=b`,
        },
      },
    }),
  );
  for (;;) {
    const { jobRun } = await emr.send(new GetJobRunCommand({ applicationId, jobRunId }));
    if (jobRun?.state === 'SUCCESS' || jobRun?.state === 'FAILED' || jobRun?.state === 'CANCELLED') return jobRun;
    await sleep(50);
  }
}

/** One night in every scenario's document, by its day. */
async function wish(nights: Readonly<Record<number, object>>): Promise<void> {
  const byEnd = Object.fromEntries(Object.entries(nights).map(([day, options]) => [cycleOf(Number(day)).intervalEnd, options]));
  await put(LAKE.artifacts, `faults/${NAME}.json`, JSON.stringify(byEnd));
}

async function manifestOf(cycle: CycleRef): Promise<JobManifest> {
  return JSON.parse((await read(`s3://${LAKE.refined}/${generationPrefix(cycle)}/_manifest.json`)).toString()) as JobManifest;
}

/** Loads a relation's parts into a table of the declared columns, each by COPY. @returns rows that each part held */
async function load(client: Client, manifest: JobManifest, name: string): Promise<readonly (number | null)[]> {
  const relation = manifest.relations.find((each) => each.name === name);
  const columns = relation?.columns ?? [];
  await client.query(`drop table if exists ${name}`);
  await client.query(`create table ${name} (${columns.map((column) => `${column.name} ${column.type}`).join(', ')})`);
  const counts: (number | null)[] = [];
  for (const part of relation?.copyParts ?? []) {
    const bytes = await read(part.uri);
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

/** The gate's run of one step over a night's partitions, as the product names ruleset and predicate. */
async function check(cycle: CycleRef, step: QualityStep, rules: readonly string[]) {
  const runPartition = generationPrefix(cycle).replaceAll('/', '-');
  const location = `s3://${LAKE.refined}/${generationPrefix(cycle)}/${PREFIX}_points/parquet`;
  for (const origin of ['added', 'kept']) {
    const PartitionInput = { Values: [runPartition, origin], StorageDescriptor: { Location: `${location}/origin=${origin}/` } };
    await glue.send(new CreatePartitionCommand({ DatabaseName: 'lake', TableName: `${PREFIX}_candidate`, PartitionInput })).catch(() => undefined);
  }
  const Name = rulesetName(NAME, step, rules);
  await glue.send(new CreateDataQualityRulesetCommand({ Name, Ruleset: rulesetText(rules) })).catch(() => undefined);
  const origins = step === 'added' ? "origin = 'added'" : "origin in ('added', 'kept')";
  const { RunId } = await glue.send(
    new StartDataQualityRulesetEvaluationRunCommand({
      DataSource: {
        GlueTable: {
          DatabaseName: 'lake',
          TableName: `${PREFIX}_candidate`,
          AdditionalOptions: { pushDownPredicate: `run_id = '${runPartition}' and ${origins}` },
        },
      },
      Role: 'arn:aws:iam::000000000000:role/quality',
      RulesetNames: [Name],
      ClientToken: randomUUID(),
    }),
  );
  for (;;) {
    const { Status, ResultIds, ErrorString } = await glue.send(new GetDataQualityRulesetEvaluationRunCommand({ RunId }));
    if (Status === 'FAILED') return { status: Status, error: ErrorString, rules: [] as DataQualityRuleResult[] };
    if (Status === 'SUCCEEDED') {
      const { RuleResults } = await glue.send(new GetDataQualityResultCommand({ ResultId: ResultIds?.[0] }));
      return { status: Status, rules: RuleResults ?? [] };
    }
    await sleep(20);
  }
}

const verdicts = (rules: readonly DataQualityRuleResult[]) => rules.map(({ Result }) => Result);
const rowCount = (rules: readonly DataQualityRuleResult[]) => rules[0]?.EvaluatedMetrics?.['Dataset.*.RowCount'];

describe('a night whose Spark and Glue work scripts do', () => {
  test('has a manifest that the product takes, parts that PostgreSQL takes, and rows that the gate passes and fails (S2.17, S2.36)', async () => {
    const cycle = cycleOf(2);
    await storeRecords('night2.parquet', ADDED_ROWS, cycleId(cycle));

    const run = await transform(cycle, [
      ['kept.parquet', KEPT_ROWS, false],
      ['night2.parquet', ADDED_ROWS, true],
    ]);

    expect(run).toMatchObject({ state: 'SUCCESS' });
    const output = await createTransformDocumentActivities({ s3, buckets: LAKE, liveStorageFiles: async () => [] }).readJobManifest({ cycle, spec });
    const total = ADDED_ROWS + KEPT_ROWS;
    expect(output).toMatchObject({
      inputRows: total,
      relations: [
        { name: `${PREFIX}_points`, rows: total, addedRows: ADDED_ROWS, parts: 4 },
        { name: `${PREFIX}_totals`, rows: 1, parts: 1 },
      ],
    });
    const manifest = await manifestOf(cycle);
    expect(manifest.relations.map(({ columns }) => columns)).toEqual(spec.relations.map(({ columns }) => columns));
    await withDatabase(async (client) => {
      expect(await load(client, manifest, `${PREFIX}_points`)).toEqual([100, 100, 30, 20]);
      expect(await load(client, manifest, `${PREFIX}_totals`)).toEqual([1]);
      const { rows } = await client.query(
        `select count(*)::int as rows, min(st_srid(geom)) as srid, sum(raw_line)::int as lines, bool_and(generation = 1) as generation,
           count(*) filter (where cycle_id = '${cycleId(cycle)}')::int as added, array_agg(distinct night) as nights,
           bool_and(st_x(geom) = longitude and st_y(geom) = latitude and st_geometrytype(geom) = 'ST_Point') as placed,
           bool_and(event_time = timestamptz '2024-01-01 00:00:00Z' + raw_line * interval '1 second') as timed,
           bool_and(device_id = 'd' || raw_line || case when raw_line % 10 = 0 then chr(65533) else '' end) as named
         from ${PREFIX}_points`,
      );
      const lines = (count: number) => (count * (count - 1)) / 2;
      expect(rows).toEqual([
        {
          ...{ rows: total, srid: 4326, lines: lines(ADDED_ROWS) + lines(KEPT_ROWS), added: ADDED_ROWS, nights: [cycle.intervalEnd] },
          ...{ generation: true, placed: true, timed: true, named: true },
        },
      ]);
      expect((await client.query(`select * from ${PREFIX}_totals`)).rows).toEqual([{ night: cycle.intervalEnd, records: String(total) }]);
    });
    const added = await check(cycle, 'added', spec.quality.added);
    expect([added.status, verdicts(added.rules), rowCount(added.rules)]).toEqual(['SUCCEEDED', ['PASS', 'PASS'], ADDED_ROWS]);
    // The kept records repeat the first of the added ones, so that the key is none.
    const served = await check(cycle, 'served', spec.quality.served);
    expect([served.status, verdicts(served.rules), rowCount(served.rules)]).toEqual(['SUCCEEDED', ['PASS', 'FAIL'], total]);
  }, 30_000);

  test('does what the scenario wants of its transform, and the manifest says what a lying job would (I1, S2.36)', async () => {
    const wanted = { 3: 'fail', 4: 'no-manifest', 5: 'lose-row', 6: 'double-row', 7: 'empty', 8: 'fial' };
    await wish(Object.fromEntries(Object.entries(wanted).map(([day, outcome]) => [day, { transform: { outcome } }])));

    const runs: JobRun[] = [];
    for (const day of Object.keys(wanted)) runs.push(await transform(cycleOf(Number(day)), [['kept.parquet', KEPT_ROWS, false]]));

    expect(runs.map(({ state }) => state)).toEqual(['FAILED', 'SUCCESS', 'SUCCESS', 'SUCCESS', 'SUCCESS', 'FAILED']);
    expect(runs[0]?.stateDetails).toContain('ExitCode: 1');
    expect(runs[5]?.stateDetails).toContain('"fial" is not known');
    await expect(manifestOf(cycleOf(4))).rejects.toMatchObject({ name: 'NoSuchKey' });
    const claimed = async (day: number) => (await manifestOf(cycleOf(day))).relations.map(({ rows }) => rows);
    expect(await claimed(5)).toEqual([KEPT_ROWS, 1]);
    expect(await claimed(6)).toEqual([KEPT_ROWS + 1, 1]);
    expect(await claimed(7)).toEqual([0, 0]);
    await withDatabase(async (client) => {
      expect(await load(client, await manifestOf(cycleOf(5)), `${PREFIX}_points`)).toEqual([KEPT_ROWS - 1]);
      expect(await load(client, await manifestOf(cycleOf(6)), `${PREFIX}_points`)).toEqual([KEPT_ROWS + 1]);
    });
    expect(rowCount((await check(cycleOf(5), 'served', spec.quality.served)).rules)).toBe(KEPT_ROWS - 1);
    expect(verdicts((await check(cycleOf(6), 'served', spec.quality.served)).rules)).toEqual(['PASS', 'FAIL']);
    expect(verdicts((await check(cycleOf(7), 'served', spec.quality.served)).rules)).toEqual(['FAIL', 'ERROR']);
  }, 30_000);

  test('does what the scenario wants of its checks, each step apart (S2.17, I2)', async () => {
    const cycle = cycleOf(9);
    await transform(cycle, [['kept.parquet', KEPT_ROWS, false]]);
    const { served } = spec.quality;
    const given = async (options: object) => {
      await wish({ 9: { check: options } });
      return check(cycle, 'served', served);
    };

    expect(verdicts((await given({})).rules)).toEqual(['PASS', 'PASS']);
    expect(verdicts((await given({ outcome: 'fail-rule' })).rules)).toEqual(['FAIL', 'PASS']);
    expect(verdicts((await given({ served: { outcome: 'error-rule' } })).rules)).toEqual(['PASS', 'ERROR']);
    expect(verdicts((await given({ added: { outcome: 'error-rule' } })).rules)).toEqual(['PASS', 'PASS']);
    expect((await given({ outcome: 'missing-rule' })).rules.map(({ Description }) => Description)).toEqual([served[0]]);
    expect(rowCount((await given({ outcome: 'no-rows' })).rules)).toBeUndefined();
    expect(rowCount((await given({ outcome: 'wrong-count' })).rules)).toBe(KEPT_ROWS - 1);
    expect(await given({ outcome: 'error' })).toMatchObject({ status: 'FAILED', error: expect.stringContaining('scenario') as string });
    expect(await given({ outcome: 'pas' })).toMatchObject({ status: 'FAILED', error: expect.stringContaining('"pas" is not known') as string });
  }, 30_000);
});
