import { type ChildProcess, spawn } from 'node:child_process';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CloudWatchClient, GetMetricStatisticsCommand } from '@aws-sdk/client-cloudwatch';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { STACK_OUTPUTS } from '../../domain/stack-outputs';
import { QUEUE_METRIC } from '../../domain/queue-metric';
import { keepReporting, QueueBacklog } from '../../worker/queue-backlog';
import { type LocalAws, startLocalAws } from '../support/local-aws';
import { freePort } from '../../infra/local/ports';
import { startTestEnvironment } from '../support/temporal';

/** Ended with the file, however a test ended. */
const started: ChildProcess[] = [];
let environment: TestWorkflowEnvironment;
let aws: LocalAws;
let cloudwatch: CloudWatchClient;

beforeAll(async () => {
  [environment, aws] = await Promise.all([startTestEnvironment(), startLocalAws()]);
  cloudwatch = new CloudWatchClient(aws.clientConfig);
});
afterAll(() => {
  for (const child of started) child.kill('SIGKILL');
  cloudwatch.destroy();
  return Promise.all([environment.teardown(), aws.stop()]);
});

const backlogOf = (taskQueue: string) =>
  new QueueBacklog({ connection: environment.connection, cloudwatch, namespace: 'default', taskQueue });
const never = new AbortController().signal;

/** What CloudWatch has of the queue's metric. */
async function reported(taskQueue: string) {
  const { Datapoints = [] } = await cloudwatch.send(
    new GetMetricStatisticsCommand({
      Namespace: QUEUE_METRIC.namespace,
      MetricName: QUEUE_METRIC.name,
      Dimensions: [{ Name: QUEUE_METRIC.dimension, Value: taskQueue }],
      StartTime: new Date(Date.now() - 3_600_000),
      EndTime: new Date(Date.now() + 60_000),
      Period: 3_600,
      Statistics: ['Maximum', 'SampleCount'],
    }),
  );
  return {
    maximum: Math.max(...Datapoints.map(({ Maximum = 0 }) => Maximum)),
    samples: Datapoints.reduce((sum, { SampleCount = 0 }) => sum + SampleCount, 0),
  };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 120_000; !(await holds()); await sleep(200)) {
    if (Date.now() > deadline) throw new Error('It did not come about within two minutes');
  }
}

describe('The backlog of the task queue (S1.9)', () => {
  test('grows with the workflows that no worker polls for, and reaches CloudWatch', async () => {
    const backlog = backlogOf('unpolled');
    const before = await backlog.report(never);
    for (let index = 0; index < 7; index++) {
      await environment.client.workflow.start('etlCycle', { taskQueue: 'unpolled', workflowId: `waits-${index}` });
    }

    await until(async () => (await backlog.read()) === 7);
    const after = await backlog.report(never);

    expect([before, after]).toEqual([0, 7]);
    expect(await reported('unpolled')).toEqual({ maximum: 7, samples: 2 });
    expect(await reported('another')).toMatchObject({ samples: 0 });
  });

  test('what cannot be reported stops nothing: it is told once, and reported when it can be', async () => {
    const warned: string[] = [];
    const stop = new AbortController();
    let attempts = 0;
    const broken = {
      report: async () => {
        attempts++;
        if (attempts === 2 || attempts === 3) throw new Error('no answer');
        if (attempts === 5) stop.abort();
        return 0;
      },
    };

    await keepReporting(
      broken,
      1,
      new DefaultLogger('INFO', ({ level, message }) => warned.push(`${level} ${message}`)),
      stop.signal,
    );

    expect(attempts).toBe(5);
    expect(warned).toEqual([
      'WARN The backlog of the task queue could not be reported: the number of workers stays as it is',
      'INFO The backlog of the task queue is reported again',
    ]);
  });

  test('a queue that is not there waits for nothing', async () => {
    expect(await backlogOf('nobody-heard-of').read()).toBe(0);
  });
});

describe('A worker as the task of Fargate runs it', () => {
  test('is healthy while it polls, reports its backlog, and ends itself when its password was rotated', async () => {
    const database = await refusingDatabase();
    const env = await workerEnvironment(database);
    const unhealthy = await exitOf('infra/aws/images/worker/healthy.mjs', env);
    const worker = start('bin/meridian.js', env, 'worker');

    await until(async () => (await exitOf('infra/aws/images/worker/healthy.mjs', env)) === 0);
    await until(async () => (await reported('fargate')).samples > 0);
    await environment.client.workflow.start('etlCycle', {
      taskQueue: 'fargate',
      workflowId: 'meets-a-rotated-password',
      args: [{ pipeline: 'mobile-geolocation', intervalEnd: '2018-08-03T00:00:00Z' }],
    });

    expect(unhealthy).toBe(1);
    expect(await worker.exited).toBe(1);
    expect(worker.said()).toContain('PostgreSQL refused the password that this worker was started with');
    expect((await environment.client.workflow.getHandle('meets-a-rotated-password').describe()).status.name).toBe(
      'RUNNING',
    );
    await environment.client.workflow.getHandle('meets-a-rotated-password').terminate();
    database.close();
  });
});

/** Answers every start of a session as PostgreSQL answers a wrong password. */
async function refusingDatabase(): Promise<Server> {
  const fields = Buffer.from('SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "meridian"\0\0');
  const length = Buffer.alloc(4);
  length.writeInt32BE(fields.length + 4);
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.end(Buffer.concat([Buffer.from('E'), length, fields])));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return server;
}

async function workerEnvironment(database: Server): Promise<NodeJS.ProcessEnv> {
  // The worker takes its groups' roles from the local AWS, which asks for the form of an ARN.
  const outputs = Object.fromEntries(Object.values(STACK_OUTPUTS).map((name) => [name, name.endsWith('_ARN') ? 'arn:aws:iam::000000000000:role/any' : 'none']));
  return {
    ...{ PATH: process.env['PATH'], HOME: process.env['HOME'], MERIDIAN_HOME: '/nowhere' },
    ...outputs,
    ...aws.env,
    MERIDIAN_JOBS_URI: 's3://none/jobs',
    MERIDIAN_TASK_QUEUE: 'fargate',
    MERIDIAN_WORK_DIR: join(tmpdir(), 'meridian-test-worker'),
    MERIDIAN_METRICS_ADDRESS: `127.0.0.1:${await freePort()}`,
    MERIDIAN_BACKLOG_SECONDS: '1',
    MERIDIAN_SUPERVISED: '1',
    MERIDIAN_ARCHIVE_SECONDS: '0',
    TEMPORAL_ADDRESS: environment.address,
    PGHOST: '127.0.0.1',
    PGPORT: String((database.address() as AddressInfo).port),
    PGDATABASE: 'meridian',
    PGUSER: 'meridian',
    PGPASSWORD: 'of last week',
  };
}

function start(file: string, env: NodeJS.ProcessEnv, ...args: readonly string[]) {
  const child = spawn(process.execPath, [join(__dirname, '../..', file), ...args], { env });
  started.push(child);
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const exited = new Promise<number | null>((done) => child.once('exit', done));
  return { exited, said: () => said };
}

const exitOf = (file: string, env: NodeJS.ProcessEnv) => start(file, env).exited;
