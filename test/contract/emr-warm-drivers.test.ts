import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import {
  CancelJobRunCommand,
  CreateApplicationCommand,
  EMRServerlessClient,
  GetApplicationCommand,
  GetJobRunCommand,
  type JobRun,
  StartApplicationCommand,
  StartJobRunCommand,
  StopApplicationCommand,
} from '@aws-sdk/client-emr-serverless';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { type LocalAws, startLocalAws } from '../support/local-aws';
import { processesThatMention } from '../support/processes-mentioning';
import { createServiceRole } from '../support/service-role';

const SCRIPTS = {
  'whole.py': [
    'import glob, json, os, sys',
    'import boto3, helper',
    'from pyspark.sql import SparkSession',
    'spark = SparkSession.builder.getOrCreate()',
    'frame = spark.sql("select id, ST_AsText(ST_Point(id, 1.0)) as place from range(3)")',
    'frame.write.mode("overwrite").parquet(sys.argv[1])',
    'def in_a_worker(batches):',
    '    import boto3, helper',
    '    assert helper.ANSWER',
    '    boto3.client("s3").head_bucket(Bucket="artifacts")',
    '    yield from batches',
    'rows = spark.read.parquet(sys.argv[1]).mapInArrow(in_a_worker, frame.schema).collect()',
    'secret = os.environ["AWS_SECRET_ACCESS_KEY"]',
    'told = [value for _, value in spark.sparkContext.getConf().getAll()]',
    'for path in glob.glob("/proc/[0-9]*/cmdline"):',
    '    try: told.append(open(path).read())',
    '    except OSError: pass',
    'print(json.dumps({"arguments": sys.argv[2:], "places": sorted(row.place for row in rows), "library": helper.ANSWER,',
    '  "caller": boto3.client("sts").get_caller_identity()["Arn"], "java": spark._jvm.java.lang.ProcessHandle.current().pid(),',
    '  "example": spark.conf.get("spark.example"), "told": any(secret in each for each in told), "name": __name__,',
    '  "folder": os.getcwd(), "emulator": [name for name in os.environ if name.startswith("MERIDIAN_")]}))',
  ],
  'helper.py': ['ANSWER = "from the library"'],
  'raise.py': ['import sys', 'print("before", file=sys.stderr)', 'raise ValueError("no such zone: Bern")'],
  'sleep.py': ['import subprocess, sys', 'subprocess.run(["sleep", sys.argv[1]])'],
} as const;
/** Java starts more than once in each, on a machine that others may use. */
const LIMIT_MS = 300_000;

let aws: LocalAws;
let emr: EMRServerlessClient;
let s3: S3Client;
let role: string;
let applicationId: string;

beforeAll(async () => {
  aws = await startLocalAws({ MERIDIAN_SPARK_DRIVER_MEMORY_MB: '1024' });
  emr = new EMRServerlessClient({ ...aws.clientConfig, maxAttempts: 1 });
  s3 = new S3Client(aws.clientConfig);
  role = await createServiceRole(aws, 'spark-job', 'emr-serverless.amazonaws.com');
  await s3.send(new CreateBucketCommand({ Bucket: 'artifacts' }));
  for (const [name, lines] of Object.entries(SCRIPTS)) {
    await s3.send(new PutObjectCommand({ Bucket: 'artifacts', Key: `jobs/${name}`, Body: `${lines.join('\n')}\n` }));
  }
  applicationId = await application();
  await emr.send(new StartApplicationCommand({ applicationId }));
}, LIMIT_MS);

afterAll(async () => {
  emr.destroy();
  s3.destroy();
  await aws.stop();
});

async function application(idleTimeoutMinutes = 15): Promise<string> {
  const made = await emr.send(
    new CreateApplicationCommand({
      ...{ name: 'warm', releaseLabel: 'emr-7.5.0', type: 'SPARK', clientToken: randomUUID(), autoStopConfiguration: { enabled: true, idleTimeoutMinutes } },
      initialCapacity: { DRIVER: { workerCount: 1, workerConfiguration: { cpu: '2 vCPU', memory: '5 GB' } } },
    }),
  );
  return made.applicationId ?? '';
}

/** The Java processes of drivers, with a job or without. */
const drivers = (id = applicationId) => processesThatMention(join(aws.home, 'state', 'work', 'drivers', `${id}-`));

async function start(script: string, args: readonly string[], parameters = '--name job'): Promise<string> {
  const { jobRunId } = await emr.send(
    new StartJobRunCommand({
      ...{ applicationId, clientToken: randomUUID(), executionRoleArn: role },
      jobDriver: { sparkSubmit: { entryPoint: `s3://artifacts/jobs/${script}`, entryPointArguments: [...args], sparkSubmitParameters: parameters } },
      configurationOverrides: { monitoringConfiguration: { s3MonitoringConfiguration: { logUri: 's3://artifacts/logs/' } } },
    }),
  );
  return jobRunId ?? '';
}

async function run(jobRunId: string): Promise<JobRun | undefined> {
  return (await emr.send(new GetJobRunCommand({ applicationId, jobRunId }))).jobRun;
}

async function until<T>(what: string, look: () => Promise<T | false | undefined> | T | false | undefined): Promise<T> {
  const deadline = Date.now() + LIMIT_MS / 2;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${LIMIT_MS / 2_000} s\n${aws.log().slice(-2_000)}`);
    await sleep(100);
  }
}

async function ended(jobRunId: string): Promise<JobRun> {
  return await until(`the end of ${jobRunId}`, async () => {
    const found = await run(jobRunId);
    return ['SUCCESS', 'FAILED', 'CANCELLED'].includes(found?.state ?? '') && found;
  });
}

async function log(jobRunId: string, name: 'stdout' | 'stderr'): Promise<string> {
  const Key = `logs/applications/${applicationId}/jobs/${jobRunId}/SPARK_DRIVER/${name}.gz`;
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'artifacts', Key }));
  return gunzipSync((await Body?.transformToByteArray()) ?? new Uint8Array()).toString();
}

const standing = () => until('a driver that stands ready', () => drivers()[0]);
const COMPLETE = "--py-files s3://artifacts/jobs/helper.py --conf 'spark.example=two words' --conf spark.driver.memory=4g";

test('S0.4 S2.21 a run takes the driver that stands ready: its own settings, library, role and log, no secret told, and another driver follows', async () => {
  const before = await standing();

  const jobRunId = await start('whole.py', ['s3://artifacts/out/a', 'a b', '--conf', "it's"], COMPLETE);

  expect(await ended(jobRunId)).toMatchObject({ state: 'SUCCESS' });
  const lines = (await log(jobRunId, 'stdout')).trimEnd().split('\n');
  expect(lines).toHaveLength(1);
  const { folder, ...told } = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  expect(told).toEqual({
    ...{ arguments: ['a b', '--conf', "it's"], places: ['POINT (0 1)', 'POINT (1 1)', 'POINT (2 1)'], library: 'from the library' },
    caller: expect.stringMatching(/assumed-role\/spark-job\//) as string,
    ...{ java: before, example: 'two words', told: false, name: '__main__', emulator: [] },
  });
  const after = await until('another driver', () => drivers().find((pid) => pid !== before));
  expect(after).not.toBe(before);
  expect(processesThatMention(String(folder))).toEqual([]);
}, LIMIT_MS);

test('a run that a started Java cannot take has a driver of its own, and the log says why', async () => {
  const before = await standing();

  const jobRunId = await start('whole.py', ['s3://artifacts/out/b'], `${COMPLETE} --conf spark.driver.extraJavaOptions=-Dzone=Bern`);

  expect(await ended(jobRunId)).toMatchObject({ state: 'SUCCESS' });
  expect((JSON.parse(await log(jobRunId, 'stdout')) as { readonly java: number }).java).not.toBe(before);
  expect(aws.log()).toContain(`Job run ${jobRunId} starts a driver of its own: it sets spark.driver.extraJavaOptions`);
  expect(drivers()).toEqual([before]);
}, LIMIT_MS);

test('one that fails in it is FAILED with its exit code and exception; one that is cancelled leaves no process (I7)', async () => {
  await standing();
  const failed = await start('raise.py', []);
  const found = await ended(failed);
  expect(found.stateDetails).toMatch(/ExitCode: 1\. .*ValueError: no such zone: Bern/);
  expect(await log(failed, 'stdout')).toMatch(/^before\nTraceback/);

  const mark = `8${randomUUID().replace(/\D/g, '').slice(0, 8)}`;
  const jobRunId = await start('sleep.py', [mark]);
  await until('the script', () => processesThatMention(`sleep\0${mark}`).length > 0);
  const [taken] = drivers();
  await emr.send(new CancelJobRunCommand({ applicationId, jobRunId, shutdownGracePeriodInSeconds: 1 }));

  expect((await ended(jobRunId)).state).toBe('CANCELLED');
  expect(processesThatMention(mark)).toEqual([]);
  expect(drivers()).not.toContain(taken);
}, LIMIT_MS);

test('S0.4 drivers end with the application, also when it stops because nobody uses it any more', async () => {
  await standing();
  const idle = await application(1);
  await emr.send(new StartApplicationCommand({ applicationId: idle }));
  await until('its driver', () => drivers(idle).length === 1);

  await emr.send(new StopApplicationCommand({ applicationId }));
  expect(drivers()).toEqual([]);

  // Nobody asks for the application meanwhile.
  await until('no driver', () => drivers(idle).length === 0);
  expect((await emr.send(new GetApplicationCommand({ applicationId: idle }))).application?.state).toBe('STOPPED');
}, LIMIT_MS);

test('a SIGKILL of the emulator leaves no driver, and over its state it has them again (I7)', async () => {
  await emr.send(new StartApplicationCommand({ applicationId }));
  const before = await standing();

  await aws.kill();
  await until('no process', () => drivers().length === 0);
  await aws.restart();
  await emr.send(new StartApplicationCommand({ applicationId }));

  expect(await until('a driver', () => drivers()[0])).not.toBe(before);
  await aws.terminate();
  expect(drivers()).toEqual([]);
}, LIMIT_MS);
