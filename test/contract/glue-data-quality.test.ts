import { randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  BatchGetDataQualityResultCommand,
  CancelDataQualityRulesetEvaluationRunCommand,
  CreateDatabaseCommand,
  CreateDataQualityRulesetCommand,
  CreatePartitionCommand,
  CreateTableCommand,
  DeleteDataQualityRulesetCommand,
  GetDatabaseCommand,
  GetDataQualityResultCommand,
  GetDataQualityRulesetCommand,
  GetDataQualityRulesetEvaluationRunCommand,
  type GetDataQualityRulesetEvaluationRunCommandOutput,
  GlueClient,
  ListDataQualityResultsCommand,
  ListDataQualityRulesetEvaluationRunsCommand,
  ListDataQualityRulesetsCommand,
  StartDataQualityRulesetEvaluationRunCommand,
  type StartDataQualityRulesetEvaluationRunCommandInput,
  UpdateDataQualityRulesetCommand,
} from '@aws-sdk/client-glue';
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { type LocalAws, startLocalAws } from '../support/local-aws';
import { processesThatMention } from '../support/processes-mentioning';
import { createServiceRole } from '../support/service-role';

const ROLE = 'arn:aws:iam::000000000000:role/quality';
const EVALUATOR = 'meridian_aws.quality_evaluator';
const COLUMNS = [
  { Name: 'event_time', Type: 'timestamp' },
  { Name: 'device_id', Type: 'string' },
  { Name: 'longitude', Type: 'double' },
  { Name: 'speed', Type: 'double' },
];
const FINISHED = new Set(['STOPPED', 'SUCCEEDED', 'FAILED', 'TIMEOUT']);

let aws: LocalAws;
let glue: GlueClient;
let s3: S3Client;

beforeAll(async () => {
  aws = await startLocalAws();
  await createServiceRole(aws, 'quality', 'glue.amazonaws.com');
  glue = new GlueClient({ ...aws.clientConfig, maxAttempts: 1 });
  s3 = new S3Client(aws.clientConfig);
  await s3.send(new CreateBucketCommand({ Bucket: 'lake' }));
  await glue.send(new CreateDatabaseCommand({ DatabaseInput: { Name: 'lake' } }));
  await glue.send(
    new CreateTableCommand({
      DatabaseName: 'lake',
      TableInput: {
        Name: 'positions',
        StorageDescriptor: { Columns: COLUMNS, Location: 's3://lake/positions/' },
        PartitionKeys: [
          { Name: 'run_id', Type: 'string' },
          { Name: 'origin', Type: 'string' },
        ],
      },
    }),
  );
  // 100 rows added, of which 20 have no speed; 900 kept, of which 9 have none.
  await addPartition("night 1's", 'added', { rows: 100, everyNthWithoutSpeed: 5 });
  await addPartition("night 1's", 'kept', { rows: 900, everyNthWithoutSpeed: 100 });
  await addPartition('other', 'added', { rows: 7, everyNthWithoutSpeed: 1 });
  await glue.send(
    new CreatePartitionCommand({
      DatabaseName: 'lake',
      TableName: 'positions',
      PartitionInput: {
        Values: ['other', 'kept'],
        StorageDescriptor: { Location: 's3://lake/positions/nothing-was-written-here/' },
      },
    }),
  );
}, 90_000);

afterAll(async () => {
  glue.destroy();
  s3.destroy();
  await aws.stop();
});

/** Parquet as pyarrow writes it: rows (i, device i mod 10, longitude i / 1000, speed i or null). */
async function addPartition(
  runId: string,
  origin: string,
  shape: { readonly rows: number; readonly everyNthWithoutSpeed: number },
): Promise<void> {
  const file = join(aws.home, `${randomUUID()}.parquet`);
  const script = [
    'import sys, pyarrow as pa, pyarrow.parquet as pq',
    'n, nth = int(sys.argv[2]), int(sys.argv[3])',
    'pq.write_table(pa.table({"event_time": pa.array([i * 1000000 for i in range(n)], pa.timestamp("us", tz="UTC")),',
    ' "device_id": [str(i % 10) for i in range(n)], "longitude": [i / 1000 for i in range(n)],',
    ' "speed": pa.array([None if i % nth == 0 else float(i) for i in range(n)], pa.float64())}), sys.argv[1])',
  ].join('\n');
  execFileSync(aws.python, ['-c', script, file, String(shape.rows), String(shape.everyNthWithoutSpeed)]);
  const prefix = `positions/${randomUUID()}/origin=${origin}/`;
  await s3.send(new PutObjectCommand({ Bucket: 'lake', Key: `${prefix}part.parquet`, Body: readFileSync(file) }));
  await glue.send(
    new CreatePartitionCommand({
      DatabaseName: 'lake',
      TableName: 'positions',
      PartitionInput: {
        Values: [runId, origin],
        StorageDescriptor: { Columns: COLUMNS, Location: `s3://lake/${prefix}` },
      },
    }),
  );
}

async function ruleset(rules: readonly string[]): Promise<string> {
  const name = `rules-${randomUUID()}`;
  await glue.send(new CreateDataQualityRulesetCommand({ Name: name, Ruleset: `Rules = [ ${rules.join(', ')} ]` }));
  return name;
}

function request(RulesetNames: string[], pushDownPredicate?: string): StartDataQualityRulesetEvaluationRunCommandInput {
  const AdditionalOptions = pushDownPredicate === undefined ? {} : { AdditionalOptions: { pushDownPredicate } };
  return {
    DataSource: { GlueTable: { DatabaseName: 'lake', TableName: 'positions', ...AdditionalOptions } },
    Role: ROLE,
    RulesetNames,
    ClientToken: randomUUID(),
  };
}

async function start(input: StartDataQualityRulesetEvaluationRunCommandInput): Promise<string> {
  return (await glue.send(new StartDataQualityRulesetEvaluationRunCommand(input))).RunId ?? '';
}

async function until(
  RunId: string,
  reached: (status: string) => boolean,
): Promise<GetDataQualityRulesetEvaluationRunCommandOutput> {
  const deadline = Date.now() + 55_000;
  for (;;) {
    const run = await glue.send(new GetDataQualityRulesetEvaluationRunCommand({ RunId }));
    if (reached(run.Status ?? '')) return run;
    if (Date.now() > deadline) throw new Error(`Run ${RunId} stays ${run.Status}`);
    await sleep(50);
  }
}

async function evaluate(rules: readonly string[], predicate?: string) {
  const run = await until(await start(request([await ruleset(rules)], predicate)), (status) => FINISHED.has(status));
  if (run.Status !== 'SUCCEEDED') throw new Error(`${run.Status}: ${run.ErrorString}`);
  return glue.send(new GetDataQualityResultCommand({ ResultId: run.ResultIds?.[0] }));
}

describe('an evaluation run of the local Glue Data Quality', () => {
  test('gives each rule its verdict, message and metrics, in the order of the ruleset (S2.17)', async () => {
    const rules = [
      'RowCount = 100',
      'Completeness "speed" > 0.9',
      'IsComplete "device_id"',
      'ColumnValues "longitude" between -180 and 180',
      'IsPrimaryKey "event_time" "longitude"',
      '(RowCount > 5) and (ColumnValues "device_id" in ["0","1","2","3","4","5","6","7","8","9"])',
      'CustomSql "select count(*) from primary where device_id = \'3\'" = 10',
    ];

    const result = await evaluate(rules, "run_id = 'night 1\\'s' and origin = 'added'");

    expect(result.RuleResults?.map(({ Name, Description, Result }) => [Name, Description, Result])).toEqual([
      ['Rule_1', rules[0], 'PASS'],
      ['Rule_2', rules[1], 'FAIL'],
      ['Rule_3', rules[2], 'PASS'],
      ['Rule_4', rules[3], 'PASS'],
      ['Rule_5', rules[4], 'PASS'],
      ['Rule_6', rules[5], 'PASS'],
      ['Rule_7', rules[6], 'PASS'],
    ]);
    expect(result.RuleResults?.[1]).toMatchObject({
      EvaluationMessage: expect.stringContaining('0.8') as string,
      EvaluatedMetrics: { 'Column.speed.Completeness': 0.8 },
    });
    expect(result.RuleResults?.[3]?.EvaluatedMetrics).toEqual({
      'Column.longitude.Minimum': 0,
      'Column.longitude.Maximum': 0.099,
    });
    expect(result.Score).toBeCloseTo(6 / 7);
  }, 90_000);

  test('reads the partitions that the predicate takes, and no others', async () => {
    const rows = async (predicate?: string) =>
      (await evaluate(['RowCount > 0'], predicate)).RuleResults?.[0]?.EvaluatedMetrics?.['Dataset.*.RowCount'];

    expect(await rows()).toBe(1007);
    expect(await rows("run_id = 'night 1\\'s' and origin in ('added', 'kept')")).toBe(1000);
    expect(await rows("run_id = 'other'")).toBe(7);
    expect(await rows("run_id = 'none of them'")).toBe(0);
  }, 90_000);

  test('never says PASS without evidence: no rows, only nulls, an absent column, a rule that cannot be evaluated', async () => {
    const rules = ['IsComplete "device_id"', 'ColumnValues "speed" > 0', 'Completeness "speed" > 0.5'];
    const odd = ['IsComplete "absent"', 'RowCount between 1 and last(3)', 'ColumnValues "speed" > -1'];

    const none = await evaluate(rules, "run_id = 'none of them'");
    const nulls = await evaluate(odd, "run_id = 'other'");

    expect(none.RuleResults?.map((rule) => rule.Result)).toEqual(['ERROR', 'ERROR', 'ERROR']);
    expect(nulls.RuleResults?.map((rule) => rule.Result)).toEqual(['ERROR', 'ERROR', 'ERROR']);
    expect(nulls.RuleResults?.map((rule) => rule.EvaluationMessage)).not.toContain(undefined);
  }, 90_000);

  test('writes its results below ResultsS3Prefix, and lists them', async () => {
    const name = await ruleset(['RowCount > 0']);
    const RunId = await start({
      ...request([name]),
      AdditionalRunOptions: { ResultsS3Prefix: 's3://lake/quality/night' },
    });

    const run = await until(RunId, (status) => FINISHED.has(status));
    const ids = run.ResultIds ?? [];
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: 'lake', Prefix: 'quality/night/' }));
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'lake', Key: Contents?.[0]?.Key }));
    const batch = await glue.send(new BatchGetDataQualityResultCommand({ ResultIds: [...ids, 'dqresult-none'] }));
    const listed = await glue.send(new ListDataQualityResultsCommand({}));

    expect(JSON.parse((await Body?.transformToString()) ?? '')).toMatchObject({
      RulesetName: name,
      RulesetEvaluationRunId: RunId,
      Score: 1,
    });
    expect(batch.Results?.map((result) => result.ResultId)).toEqual(ids);
    expect(batch.ResultsNotFound).toEqual(['dqresult-none']);
    expect(listed.Results?.map((result) => result.ResultId)).toContain(ids[0]);
  }, 90_000);

  test.each([
    ['a predicate over no partition column', 'longitude > 0', /Predicate.*run_id/],
    ['a predicate that is no SQL', "run_id = 'x", /Predicate/],
  ])('with %s fails and says why', async (_, predicate, message) => {
    const run = await until(await start(request([await ruleset(['RowCount > 0'])], predicate)), (status) =>
      FINISHED.has(status),
    );

    expect(run).toMatchObject({ Status: 'FAILED', ErrorString: expect.stringMatching(message) as string });
  });

  test('over an absent table, or with a ruleset that does not parse, fails and says why', async () => {
    const absent = request([await ruleset(['RowCount > 0'])]);
    const ids = await Promise.all([
      start({ ...absent, DataSource: { GlueTable: { DatabaseName: 'lake', TableName: 'absent' } } }),
      start(request([await ruleset(['RowCount is large'])])),
    ]);

    const runs = await Promise.all(ids.map((id) => until(id, (status) => FINISHED.has(status))));

    expect(runs[0]).toMatchObject({ Status: 'FAILED', ErrorString: expect.stringContaining('lake.absent') as string });
    expect(runs[1]).toMatchObject({
      Status: 'FAILED',
      ErrorString: expect.stringContaining('Parsing Error') as string,
    });
  });

  test('that is cancelled ends STOPPED, and so does one that waits behind it', async () => {
    const name = await ruleset(['RowCount > 0', 'IsUnique "event_time"']);
    const ids = [await start(request([name])), await start(request([name]))];

    for (const RunId of ids) await glue.send(new CancelDataQualityRulesetEvaluationRunCommand({ RunId }));

    for (const id of ids) expect((await until(id, (status) => FINISHED.has(status))).Status).toBe('STOPPED');
    await expect(glue.send(new CancelDataQualityRulesetEvaluationRunCommand({ RunId: ids[0] }))).rejects.toMatchObject({
      name: 'InvalidInputException',
    });
  });

  test('outlives a crash of the evaluator: that run fails, the next one is evaluated (X1)', async () => {
    const name = await ruleset(['RowCount > 0']);
    killEvaluator(); // so that the next one starts cold: Spark is not there before some seconds
    const RunId = await start(request([name]));
    await until(RunId, (status) => status === 'RUNNING');
    while (ownEvaluators().length < 2) await sleep(20); // it and its guard

    killEvaluator();

    expect(await until(RunId, (status) => FINISHED.has(status))).toMatchObject({
      Status: 'FAILED',
      ErrorString: expect.stringContaining('evaluator ended') as string,
    });
    expect((await evaluate(['RowCount > 0'])).Score).toBe(1);
  }, 120_000);
});

function killEvaluator(): void {
  for (const pid of ownEvaluators()) process.kill(pid, 'SIGKILL');
}

/** Tests of other files have evaluators of their own, and so has a stack that the demo left running. */
function ownEvaluators(): readonly number[] {
  return processesThatMention(EVALUATOR).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`AWS_ENDPOINT_URL=${aws.endpoint}\0`);
    } catch {
      return false; // ended since
    }
  });
}

describe('the contract of Glue Data Quality', () => {
  test('one ClientToken and the same parameters give one run; other parameters are a ConflictException (X1, I5)', async () => {
    const input = request([await ruleset(['RowCount > 0'])]);

    const ids = await Promise.all([start(input), start(input)]);

    expect(ids[0]).toBe(ids[1]);
    await expect(start({ ...input, Timeout: 7 })).rejects.toMatchObject({ name: 'ConflictException' });
    const { Runs } = await glue.send(new ListDataQualityRulesetEvaluationRunsCommand({}));
    expect(Runs?.filter((run) => run.RunId === ids[0])).toHaveLength(1);
    await until(ids[0] ?? '', (status) => FINISHED.has(status));
  }, 90_000);

  test('rulesets are created once, read, updated, listed, deleted', async () => {
    const Name = `rules-${randomUUID()}`;
    await glue.send(
      new CreateDataQualityRulesetCommand({ Name, Ruleset: 'Rules = [ RowCount > 0 ]', Description: 'first' }),
    );

    await expect(
      glue.send(new CreateDataQualityRulesetCommand({ Name, Ruleset: 'Rules = [ RowCount > 1 ]' })),
    ).rejects.toMatchObject({ name: 'AlreadyExistsException' });
    await glue.send(new UpdateDataQualityRulesetCommand({ Name, Ruleset: 'Rules = [ RowCount > 2 ]' }));
    expect(await glue.send(new GetDataQualityRulesetCommand({ Name }))).toMatchObject({
      Name,
      Description: 'first',
      Ruleset: 'Rules = [ RowCount > 2 ]',
    });
    expect((await glue.send(new ListDataQualityRulesetsCommand({ Filter: { Name } }))).Rulesets).toMatchObject([
      { Name, RuleCount: 1 },
    ]);
    await glue.send(new DeleteDataQualityRulesetCommand({ Name }));
    await expect(glue.send(new GetDataQualityRulesetCommand({ Name }))).rejects.toMatchObject({
      name: 'EntityNotFoundException',
    });
  });

  test('what is wrong or absent is refused by the service’s own exceptions', async () => {
    const name = await ruleset(['RowCount > 0']);

    await expect(
      glue.send(new CreateDataQualityRulesetCommand({ Name: 'x', Ruleset: 'RowCount > 0' })),
    ).rejects.toMatchObject({ name: 'InvalidInputException' });
    await expect(start(request(['absent']))).rejects.toMatchObject({ name: 'EntityNotFoundException' });
    await expect(start({ ...request([name]), ClientToken: 'x'.repeat(256) })).rejects.toMatchObject({
      name: 'ValidationException',
    });
    await createServiceRole(aws, 'spark-job', 'emr-serverless.amazonaws.com');
    for (const Role of [`${ROLE}-absent`, ROLE.replace('quality', 'spark-job')]) {
      await expect(start({ ...request([name]), Role })).rejects.toMatchObject({
        name: 'InvalidInputException',
        message: expect.stringContaining(`Service is unable to assume role ${Role}. Please verify role's TrustPolicy`) as string,
      });
    }
    await expect(start({ ...request([name]), Role: undefined })).rejects.toMatchObject({ name: 'ValidationException' });
    await expect(
      glue.send(new GetDataQualityRulesetEvaluationRunCommand({ RunId: 'dqrun-none' })),
    ).rejects.toMatchObject({ name: 'EntityNotFoundException' });
    await expect(glue.send(new GetDataQualityResultCommand({ ResultId: 'dqresult-none' }))).rejects.toMatchObject({
      name: 'EntityNotFoundException',
    });
  });

  test('every other call to Glue still reaches the emulator’s own catalog', async () => {
    expect((await glue.send(new GetDatabaseCommand({ Name: 'lake' }))).Database?.Name).toBe('lake');
  });
});
