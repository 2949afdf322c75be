import { gunzipSync } from 'node:zlib';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CancelJobRunCommand,
  CreateApplicationCommand,
  DeleteApplicationCommand,
  EMRServerlessClient,
  GetApplicationCommand,
  GetJobRunCommand,
  type JobRun,
  ListApplicationsCommand,
  ListJobRunsCommand,
  ListTagsForResourceCommand,
  StartApplicationCommand,
  StartJobRunCommand,
  type StartJobRunCommandInput,
  StopApplicationCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateApplicationCommand,
} from '@aws-sdk/client-emr-serverless';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { type LocalAws, startLocalAws } from '../support/local-aws';
import { processesThatMention } from '../support/processes-mentioning';
import { createServiceRole } from '../support/service-role';

const ROLE = 'arn:aws:iam::000000000000:role/spark-job';
const QUALITY_ROLE = 'arn:aws:iam::000000000000:role/quality';
/**
 * What spark-submit's thread has not passed on when Python ends is lost: PythonRunner waits for the process, never for its RedirectThread, a
 * daemon. On a busy machine that can be all that a script says with its last breath.
 */
const LAST_BREATH = '__import__("time").sleep(1)';
const SCRIPTS = {
  'echo.py': [
    'import json, os, sys',
    'print(json.dumps({"arguments": sys.argv[1:], "endpoint": os.environ["AWS_ENDPOINT_URL"], "token": os.environ.get("TOKEN")}))',
    LAST_BREATH,
    'sys.exit(int(sys.argv[1]))',
  ],
  'raise.py': ['def fail():', '    raise ValueError("no such zone: Bern")', 'fail()'],
  'sleep.py': ['import subprocess, sys', 'subprocess.run(["sleep", sys.argv[1]])'],
  'library.py': ['import boto3, helper', 'print(helper.ANSWER, "as", boto3.client("sts").get_caller_identity()["Arn"])', LAST_BREATH],
  'helper.py': ['ANSWER = "from the library"'],
  'spark.py': [
    'import sys',
    'from pyspark.sql import SparkSession',
    'spark = SparkSession.builder.getOrCreate()',
    'frame = spark.sql("select ST_AsText(ST_Point(id, 1.0)) as place from range(3)")',
    'frame.write.mode("overwrite").parquet(sys.argv[1])',
    'print(sorted(row.place for row in spark.read.parquet(sys.argv[1]).collect()))',
    'print(spark.conf.get("spark.example"), spark.conf.get("spark.master"), spark.conf.get("spark.driver.memory"))',
    LAST_BREATH,
  ],
} as const;

let aws: LocalAws;
let emr: EMRServerlessClient;
let s3: S3Client;
let applicationId: string;

beforeAll(async () => {
  aws = await startLocalAws({ MERIDIAN_SPARK_DRIVER_MEMORY_MB: '1024' });
  // One attempt: what the service answers first is what the tests are about.
  emr = new EMRServerlessClient({ ...aws.clientConfig, maxAttempts: 1 });
  await createServiceRole(aws, 'spark-job', 'emr-serverless.amazonaws.com');
  await createServiceRole(aws, 'quality', 'glue.amazonaws.com');
  s3 = new S3Client(aws.clientConfig);
  await s3.send(new CreateBucketCommand({ Bucket: 'artifacts' }));
  for (const [name, lines] of Object.entries(SCRIPTS)) {
    await s3.send(new PutObjectCommand({ Bucket: 'artifacts', Key: `jobs/${name}`, Body: `${lines.join('\n')}\n` }));
  }
  applicationId = await createApplication();
}, 90_000);

afterAll(async () => {
  emr.destroy();
  s3.destroy();
  await aws.stop();
});

async function createApplication(): Promise<string> {
  const made = await emr.send(
    new CreateApplicationCommand({
      name: 'meridian',
      releaseLabel: 'emr-7.5.0',
      type: 'SPARK',
      clientToken: randomUUID(),
    }),
  );
  return made.applicationId ?? '';
}

function request(
  script: string,
  args: string[] = [],
  changes: Partial<StartJobRunCommandInput> = {},
): StartJobRunCommandInput {
  return {
    applicationId,
    clientToken: randomUUID(),
    executionRoleArn: ROLE,
    jobDriver: { sparkSubmit: { entryPoint: `s3://artifacts/jobs/${script}`, entryPointArguments: args } },
    configurationOverrides: {
      monitoringConfiguration: { s3MonitoringConfiguration: { logUri: 's3://artifacts/logs/' } },
    },
    ...changes,
  };
}

async function start(input: StartJobRunCommandInput): Promise<string> {
  return (await emr.send(new StartJobRunCommand(input))).jobRunId ?? '';
}

async function get(jobRunId: string): Promise<JobRun> {
  const { jobRun } = await emr.send(new GetJobRunCommand({ applicationId, jobRunId }));
  if (jobRun === undefined) throw new Error(`No job run ${jobRunId}`);
  return jobRun;
}

async function ended(jobRunId: string): Promise<JobRun> {
  return until(jobRunId, (run) => run.state === 'SUCCESS' || run.state === 'FAILED' || run.state === 'CANCELLED');
}

async function until(jobRunId: string, reached: (run: JobRun) => boolean): Promise<JobRun> {
  const deadline = Date.now() + 50_000;
  for (;;) {
    const run = await get(jobRunId);
    if (reached(run)) return run;
    if (Date.now() > deadline) throw new Error(`Job run ${jobRunId} stays ${run.state}: ${run.stateDetails}`);
    await sleep(50);
  }
}

async function log(jobRunId: string, name: 'stdout' | 'stderr'): Promise<string> {
  const key = `logs/applications/${applicationId}/jobs/${jobRunId}/SPARK_DRIVER/${name}.gz`;
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'artifacts', Key: key }));
  return gunzipSync((await Body?.transformToByteArray()) ?? new Uint8Array()).toString();
}

describe('a job run of the local EMR Serverless', () => {
  test('runs the script with its arguments as they are, ends in SUCCESS, and leaves its logs in S3 (S0.4, S0.12)', async () => {
    const hostile = ['0', 'a b', '--conf', '$(touch /tmp/meridian-never)', "it's", 'line\nbreak', 'ä%2F'];

    const run = await ended(await start(request('echo.py', hostile)));

    expect(run.state).toBe('SUCCESS');
    expect(JSON.parse(await log(run.jobRunId ?? '', 'stdout'))).toMatchObject({
      arguments: hostile,
      endpoint: aws.endpoint,
    });
    expect(run.totalResourceUtilization?.vCPUHour).toBeGreaterThan(0);
    expect(run).toMatchObject({
      attempt: 1,
      mode: 'BATCH',
      executionTimeoutMinutes: 720,
      executionRole: ROLE,
      releaseLabel: 'emr-7.5.0',
    });
    expect(run.endedAt?.getTime()).toBeGreaterThanOrEqual(run.startedAt?.getTime() ?? Infinity);
  });

  test('that exits with a code ends FAILED, with the code and the last exception in stateDetails', async () => {
    const [code, exception] = await Promise.all([start(request('echo.py', ['3'])), start(request('raise.py'))]);

    expect(await ended(code)).toMatchObject({
      state: 'FAILED',
      stateDetails: expect.stringContaining('ExitCode: 3') as string,
    });
    expect(await ended(exception)).toMatchObject({
      state: 'FAILED',
      stateDetails: expect.stringContaining('ValueError: no such zone: Bern') as string,
    });
    expect(await log(exception, 'stdout')).toContain('ValueError');
  });

  test('whose entry point is not in S3 ends FAILED and names it', async () => {
    const run = await ended(await start(request('absent.py')));

    expect(run).toMatchObject({
      state: 'FAILED',
      stateDetails: expect.stringContaining('s3://artifacts/jobs/absent.py') as string,
    });
  });

  test('gets libraries by --py-files, its environment by spark.emr-serverless.driverEnv, and runs as its execution role (S2.21)', async () => {
    const library = request('library.py');
    const echo = request('echo.py', ['0']);
    const sparkSubmit = (input: StartJobRunCommandInput, sparkSubmitParameters: string) => ({
      ...input,
      jobDriver: {
        sparkSubmit: {
          ...input.jobDriver?.sparkSubmit,
          entryPoint: input.jobDriver?.sparkSubmit?.entryPoint,
          sparkSubmitParameters,
        },
      },
    });

    const runs = await Promise.all([
      start(sparkSubmit(library, '--py-files s3://artifacts/jobs/helper.py --conf spark.executor.memory=16g')),
      start(sparkSubmit(echo, "--conf 'spark.emr-serverless.driverEnv.TOKEN=a b'")),
    ]);

    expect(await Promise.all(runs.map(async (id) => (await ended(id)).state))).toEqual(['SUCCESS', 'SUCCESS']);
    expect(await log(runs[0] ?? '', 'stdout')).toContain('from the library as arn:aws:sts::000000000000:assumed-role/spark-job/emr-serverless');
    expect(JSON.parse(await log(runs[1] ?? '', 'stdout'))).toMatchObject({ token: 'a b' });
  });

  test('is real Spark with Sedona that reads and writes s3:// (S0.2, S0.3)', async () => {
    const input = request('spark.py', ['s3://artifacts/out/places']);
    const sparkSubmitParameters =
      "--conf 'spark.example=two words' --conf spark.driver.memory=64g --executor-memory 100g --num-executors 50";
    const run = await ended(
      await start({
        ...input,
        jobDriver: {
          sparkSubmit: {
            ...input.jobDriver?.sparkSubmit,
            entryPoint: 's3://artifacts/jobs/spark.py',
            sparkSubmitParameters,
          },
        },
      }),
    );

    expect(run).toMatchObject({ state: 'SUCCESS' });
    expect(await log(run.jobRunId ?? '', 'stdout')).toBe(
      "['POINT (0 1)', 'POINT (1 1)', 'POINT (2 1)']\ntwo words local[2] 1024m\n",
    );
  });

  test('waits as QUEUED while the application is busy, and a queued one can be cancelled (X1)', async () => {
    const first = await start(request('sleep.py', ['60']));
    const second = await start(request('sleep.py', ['60']));
    await until(first, (run) => run.state === 'RUNNING');

    expect((await until(second, (run) => run.state === 'QUEUED')).stateDetails).not.toBe('');
    await emr.send(new CancelJobRunCommand({ applicationId, jobRunId: second }));
    expect((await ended(second)).state).toBe('CANCELLED');
    expect((await get(first)).state).toBe('RUNNING');
    await emr.send(new CancelJobRunCommand({ applicationId, jobRunId: first }));
    expect((await ended(first)).state).toBe('CANCELLED');
  });

  test('that is cancelled goes through CANCELLING to CANCELLED and leaves no process (I7)', async () => {
    const mark = `31${String(Date.now()).slice(-6)}`;
    const jobRunId = await start(request('sleep.py', [mark]));
    await until(jobRunId, (run) => run.state === 'RUNNING');
    // The script's own child, which neither the JVM nor Python would take with them.
    while (processesThatMention(`sleep\0${mark}`).length === 0) await sleep(50);

    await emr.send(new CancelJobRunCommand({ applicationId, jobRunId }));
    await emr.send(new CancelJobRunCommand({ applicationId, jobRunId })).catch(() => undefined); // may have ended by then

    expect((await ended(jobRunId)).state).toBe('CANCELLED');
    expect(processesThatMention(mark)).toEqual([]);
    await expect(emr.send(new CancelJobRunCommand({ applicationId, jobRunId }))).rejects.toMatchObject({
      name: 'ValidationException',
    });
  });
});

describe('the contract of StartJobRun', () => {
  test('one clientToken and the same parameters give one run, also from two calls at once (X1, I5)', async () => {
    const input = request('echo.py', ['0']);

    const ids = await Promise.all([start(input), start(input), start(input)]);
    await ended(ids[0] ?? '');
    const afterwards = await start(input);

    expect(new Set([...ids, afterwards]).size).toBe(1);
  });

  test('S2.21 keeps the execution policy that narrows the run, shows it, and takes none that is longer than the service does', async () => {
    const policy = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:*', Resource: 'arn:aws:s3:::artifacts/*' }] });

    const jobRunId = await start(request('echo.py', ['0'], { executionIamPolicy: { policy } }));

    expect((await get(jobRunId)).executionIamPolicy).toEqual({ policy });
    await expect(start(request('echo.py', ['0'], { executionIamPolicy: { policy: ' '.repeat(2_049) } }))).rejects.toMatchObject({
      name: 'ValidationException',
      message: expect.stringContaining('length less than or equal to 2048') as string,
    });
    await ended(jobRunId);
  });

  test('one clientToken and other parameters is a ConflictException, and starts nothing (X1, I5)', async () => {
    const input = request('echo.py', ['0']);
    await start(input);
    const before = (await emr.send(new ListJobRunsCommand({ applicationId }))).jobRuns?.length;

    await expect(start({ ...input, name: 'another' })).rejects.toMatchObject({
      name: 'ConflictException',
      $metadata: { httpStatusCode: 409 },
    });

    expect((await emr.send(new ListJobRunsCommand({ applicationId }))).jobRuns?.length).toBe(before);
  });

  test.each([
    ['a clientToken of 65 characters', { clientToken: 'x'.repeat(65) }, /clientToken.*64/],
    ['a clientToken with a blank', { clientToken: 'a b' }, /clientToken.*regular expression/],
    ['a role that is none', { executionRoleArn: 'arn:aws:iam::12:user/somebody' }, /executionRoleArn/],
    ['a role that is not there', { executionRoleArn: `${ROLE}-absent` }, /execution role.*spark-job-absent does not exist/],
    ['a role for another service', { executionRoleArn: QUALITY_ROLE }, /execution role.*quality does not let emr-serverless.amazonaws.com in/],
    ['a retry that the double does not do', { retryPolicy: { maxAttempts: 3 } }, /maxAttempts/],
    ['no job', { jobDriver: undefined }, /jobDriver/],
    ['a master of its own', { sparkSubmitParameters: '--master yarn' }, /--master/],
    ['an unknown option', { sparkSubmitParameters: '--turbo on' }, /--turbo/],
    ['a quote without its end', { sparkSubmitParameters: "--conf 'spark.a=b" }, /words/],
    ['a conf without a value', { sparkSubmitParameters: '--conf spark.a' }, /key=value/],
  ])('%s is a ValidationException', async (_, changes, message) => {
    const { sparkSubmitParameters, ...members } = changes as { sparkSubmitParameters?: string };
    const driver = {
      sparkSubmit: {
        entryPoint: 's3://artifacts/jobs/echo.py',
        ...(sparkSubmitParameters === undefined ? {} : { sparkSubmitParameters }),
      },
    };
    const input = { ...request('echo.py'), jobDriver: driver, ...members };

    await expect(start(input)).rejects.toMatchObject({
      name: 'ValidationException',
      message: expect.stringMatching(message) as string,
    });
  });

  test('an unknown application or run is a ResourceNotFoundException with status 404', async () => {
    const missing = { name: 'ResourceNotFoundException', $metadata: { httpStatusCode: 404 } };

    await expect(start(request('echo.py', [], { applicationId: '00missing' }))).rejects.toMatchObject(missing);
    await expect(emr.send(new GetJobRunCommand({ applicationId, jobRunId: '00missing' }))).rejects.toMatchObject(
      missing,
    );
    await expect(emr.send(new CancelJobRunCommand({ applicationId, jobRunId: '00missing' }))).rejects.toMatchObject(
      missing,
    );
  });

  test('runs are listed newest first, by state and by page', async () => {
    const first = await emr.send(new ListJobRunsCommand({ applicationId, maxResults: 1 }));
    const second = await emr.send(new ListJobRunsCommand({ applicationId, maxResults: 1, nextToken: first.nextToken }));
    const successes = await emr.send(new ListJobRunsCommand({ applicationId, states: ['SUCCESS'] }));

    const [newer, older] = [first.jobRuns?.[0], second.jobRuns?.[0]];
    expect(newer?.createdAt?.getTime()).toBeGreaterThanOrEqual(older?.createdAt?.getTime() ?? Infinity);
    expect(newer?.id).not.toBe(older?.id);
    expect(new Set(successes.jobRuns?.map((run) => run.state))).toEqual(new Set(['SUCCESS']));
  });
});

describe('an application of the local EMR Serverless', () => {
  test('is created once by its token, started, stopped, tagged, updated, deleted', async () => {
    const input = {
      name: 'other',
      releaseLabel: 'emr-7.5.0',
      type: 'SPARK',
      clientToken: randomUUID(),
      tags: { team: 'maps' },
    };
    const made = await emr.send(new CreateApplicationCommand(input));
    const again = await emr.send(new CreateApplicationCommand(input));
    const id = made.applicationId ?? '';
    const state = async () => (await emr.send(new GetApplicationCommand({ applicationId: id }))).application?.state;

    expect(again.applicationId).toBe(id);
    await expect(emr.send(new CreateApplicationCommand({ ...input, name: 'third' }))).rejects.toMatchObject({
      name: 'ConflictException',
    });
    expect(await state()).toBe('CREATED');
    await emr.send(new StartApplicationCommand({ applicationId: id }));
    expect(await state()).toBe('STARTED');
    await expect(emr.send(new DeleteApplicationCommand({ applicationId: id }))).rejects.toMatchObject({
      name: 'ValidationException',
    });
    await emr.send(new StopApplicationCommand({ applicationId: id }));
    expect(await state()).toBe('STOPPED');
    await emr.send(
      new UpdateApplicationCommand({
        applicationId: id,
        clientToken: randomUUID(),
        autoStopConfiguration: { idleTimeoutMinutes: 5 },
      }),
    );
    const { application } = await emr.send(new GetApplicationCommand({ applicationId: id }));
    expect(application?.autoStopConfiguration?.idleTimeoutMinutes).toBe(5);

    await emr.send(new TagResourceCommand({ resourceArn: made.arn, tags: { cost: 'low' } }));
    await emr.send(new UntagResourceCommand({ resourceArn: made.arn, tagKeys: ['team'] }));
    expect((await emr.send(new ListTagsForResourceCommand({ resourceArn: made.arn }))).tags).toEqual({ cost: 'low' });

    await emr.send(new DeleteApplicationCommand({ applicationId: id }));
    const listed = await emr.send(new ListApplicationsCommand({ states: ['CREATED', 'STARTED', 'STOPPED'] }));
    expect(listed.applications?.map((each) => each.id)).not.toContain(id);
  });

  test('starts by itself for a run, and does not stop under one', async () => {
    const id = await createApplication();

    const jobRunId = await start(request('sleep.py', ['60'], { applicationId: id }));

    expect((await emr.send(new GetApplicationCommand({ applicationId: id }))).application?.state).toBe('STARTED');
    await expect(emr.send(new StopApplicationCommand({ applicationId: id }))).rejects.toMatchObject({
      name: 'ValidationException',
    });
    await emr.send(new CancelJobRunCommand({ applicationId: id, jobRunId }));
  });
});
