import { CreateTableCommand, DynamoDBClient, PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { deleteDataset } from '../../cli/demo/demo-dynamodb';
import { enterLocalEnvironment, localEnvironment } from '../../cli/demo/demo-environment';
import { emptyPrefix, putObjects } from '../../cli/demo/demo-s3';
import { resetServing } from '../../cli/demo/reset-serving';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import { type LocalAws, startLocalAws } from '../support/local-aws';
import { createTestDatabase, startTestServer, type TestDatabase, type TestServer } from '../support/postgres';

describe('the environment of the demo', () => {
  const ambient = {
    HOME: '/home/somebody',
    AWS_PROFILE: 'production',
    AWS_ENDPOINT_URL_S3: 'https://example.test',
    TEMPORAL_API_KEY: 'of a cloud',
    PGSERVICE: 'production',
    MERIDIAN_RAW_BUCKET: 'production-raw',
    MERIDIAN_TASK_QUEUE: 'meridian',
  };
  const stack = { AWS_ENDPOINT_URL: 'http://127.0.0.1:4566', MERIDIAN_RAW_BUCKET: 'local-raw' };

  test('nothing of another account, cluster or database gets into it', () => {
    expect(localEnvironment(stack, ambient)).toEqual({ HOME: '/home/somebody', MERIDIAN_TASK_QUEUE: 'meridian', ...stack });
  });

  test("it replaces the process's own", () => {
    const before = { ...process.env };
    Object.assign(process.env, ambient);

    enterLocalEnvironment(stack);

    const entered = { ...process.env };
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
    expect(entered).toMatchObject(stack);
    expect(Object.keys(entered).filter((name) => /^(AWS|TEMPORAL|PG)/.test(name))).toEqual(['AWS_ENDPOINT_URL']);
  });
});

describe('objects and ledger items', () => {
  let aws: LocalAws;
  let s3: S3Client;
  let dynamodb: DynamoDBClient;

  beforeAll(async () => {
    aws = await startLocalAws();
    s3 = new S3Client(aws.clientConfig);
    dynamodb = new DynamoDBClient(aws.clientConfig);
  });
  afterAll(async () => {
    s3.destroy();
    dynamodb.destroy();
    await aws.stop();
  });

  test('all versions and delete markers below a prefix go, odd keys included, and nothing beside it', async () => {
    await s3.send(new CreateBucketCommand({ Bucket: 'raw' }));
    await s3.send(new PutBucketVersioningCommand({ Bucket: 'raw', VersioningConfiguration: { Status: 'Enabled' } }));
    const odd = ['day/a b.gz', 'day/a%2Fb+c.gz', 'day/--conf x', 'day/ü&<é>.gz'];
    const many = Array.from({ length: 1_050 }, (_, index) => `day/${index}`);
    for (let round = 0; round < 2; round += 1) await putObjects(s3, 'raw', odd.map((key) => ({ key, body: Buffer.from([round]) })), () => undefined);
    await putObjects(s3, 'raw', many.map((key) => ({ key, body: Buffer.alloc(0) })), () => undefined);
    await s3.send(new DeleteObjectCommand({ Bucket: 'raw', Key: 'day/a b.gz' }));
    await s3.send(new PutObjectCommand({ Bucket: 'raw', Key: 'day2/mine', Body: 'kept' }));

    const deleted = await emptyPrefix(s3, 'raw', 'day/');

    const left = await s3.send(new ListObjectVersionsCommand({ Bucket: 'raw' }));
    expect(deleted).toBe(odd.length * 2 + many.length + 1);
    expect([...(left.Versions ?? []), ...(left.DeleteMarkers ?? [])].map(({ Key }) => Key)).toEqual(['day2/mine']);
    expect(await emptyPrefix(s3, 'raw', 'day/')).toBe(0);
  });

  test("a dataset's items go, those of a dataset whose name begins alike stay", async () => {
    await dynamodb.send(
      new CreateTableCommand({
        TableName: 'ledger',
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }, { AttributeName: 'sk', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }, { AttributeName: 'sk', KeyType: 'RANGE' }],
      }),
    );
    const put = (pk: string, sk: string) => dynamodb.send(new PutItemCommand({ TableName: 'ledger', Item: { pk: { S: pk }, sk: { S: sk } } }));
    for (let item = 0; item < 60; item += 1) await put(`mobile_positions#2018-08-0${1 + (item % 2)}`, `log#${item}`);
    await put('mobile_positions_two#fence', 'fence');

    const deleted = await deleteDataset(dynamodb, 'ledger', 'mobile_positions');

    const { Items: left = [] } = await dynamodb.send(new ScanCommand({ TableName: 'ledger' }));
    expect(deleted).toBe(60);
    expect(left.map(({ pk }) => pk?.S)).toEqual(['mobile_positions_two#fence']);
  });
});

describe('views and versions', () => {
  let server: TestServer;
  let database: TestDatabase;
  const query = (text: string) => database.pool.query<Record<string, unknown>>(text);

  beforeAll(async () => {
    server = await startTestServer();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    database = await createTestDatabase(server);
    for (const [pipeline, relation] of [['mobile-geolocation', 'positions'], ['other', 'other']] as const) {
      await query(`create table public.${relation}_v1 (id int); create view public.vw_${relation} as select * from public.${relation}_v1`);
      await query(
        `insert into meridian.cycle (pipeline, interval_end, generation, dataset, interval_start, workflow_id, run_id, spec, epoch)
         values ('${pipeline}', '2018-08-02Z', 1, 'd', '2018-08-01Z', 'w', 'r', '{}', 1)`,
      );
      await query(
        `insert into meridian.version (relation, version, table_name, pipeline, interval_end, generation, state, columns, base_sequence)
         values ('${relation}', 1, '${relation}_v1', '${pipeline}', '2018-08-02Z', 1, 'promoted', '[]', 0)`,
      );
      await query(`insert into meridian.load_part (relation, version, part_uri, etag, rows, size_bytes) values ('${relation}', 1, 's3://b/k', 'e', 1, 1)`);
    }
  });
  afterEach(() => database.stop());

  test('those of the pipeline go and its open cycles are closed; another pipeline keeps its own', async () => {
    const versions = await resetServing(database.pool, mobileGeolocation);

    const tables = await query("select relname from pg_class where relnamespace = 'public'::regnamespace and relname ~ '^(vw_)?(positions|other)' order by 1");
    const left = await query('select relation from meridian.version');
    const cycles = await query('select pipeline, outcome, sealed_at is not null as sealed from meridian.cycle order by 1');
    expect(versions).toBe(1);
    expect(tables.rows.map(({ relname }) => relname)).toEqual(['other_v1', 'vw_other']);
    expect(left.rows).toEqual([{ relation: 'other' }]);
    expect(cycles.rows).toEqual([
      { pipeline: 'mobile-geolocation', outcome: 'cancelled', sealed: true },
      { pipeline: 'other', outcome: null, sealed: false },
    ]);
    expect(await resetServing(database.pool, mobileGeolocation)).toBe(0);
  });

  test('what somebody built on a view is not dropped: nothing is, and the error names it', async () => {
    await query('create view public.my_report as select * from public.vw_positions');

    await expect(resetServing(database.pool, mobileGeolocation)).rejects.toThrow(/cannot be reset: .*my_report/s);

    const { rows } = await query('select count(*)::int as kept from meridian.version');
    expect(rows).toEqual([{ kept: 2 }]);
    expect((await query('select * from public.my_report')).rows).toEqual([]);
  });
});
