import { randomBytes } from 'node:crypto';
import { mkdtempSync, chmodSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as forward, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { ConfirmSubscriptionCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { Client, Connection } from '@temporalio/client';
import { Client as PgClient } from 'pg';
import { DefaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import { cycleWorkflowId } from '../../domain/cycle';
import { readStackEnv } from '../../infra/local/stack-env';
import { mapped } from '../../worker/failure-interceptor';
import { mobileGeolocation } from '../../pipelines/mobile-geolocation';
import { type Finished, type RunningCommand, startMeridian } from '../e2e/meridian-process';
import { decryptedHistory } from './encrypted-cycles';
import { keyringJson } from './keyring';

const LIMIT_MS = 5 * 60_000;
const EMPTY_NIGHT = '2018-07-15T00:00:00Z';
const FULL_NIGHT = '2018-08-02T00:00:00Z';
const WORKFLOW_ID = cycleWorkflowId('mobile-geolocation', FULL_NIGHT);
const canary = (what: string) => `canary-${what}-${randomBytes(6).toString('hex')}`;

/** What a process knows and must never say. */
const secrets: Record<string, string> = {
  awsSecret: canary('aws-secret'),
  apiKey: canary('api-key'),
  codecToken: canary('codec-token-of-32-characters'),
};
/** What raw objects hold: it belongs into storage, quarantine and views alone. */
const data: Readonly<Record<string, string>> = {
  device: canary('device'),
  longitude: canary('longitude'),
  timestamp: canary('timestamp'),
  speed: canary('speed'),
  cut: canary('cut'),
  field: canary('field'),
};
const KEYS = { active: 'k1', keys: new Map([['k1', randomBytes(32)]]) };

/** Everything that was said, by who said it. */
const said = new Map<string, string>();
let scratch: string;
let stack: Readonly<Record<string, string>>;
let env: NodeJS.ProcessEnv;
let outcomes: Record<string, Finished>;
let worker: RunningCommand | undefined;
const servers: Server[] = [];

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'meridian-canary-'));
  chmodSync(scratch, 0o755); // as root, PostgreSQL runs as another user
  const ports = { MERIDIAN_TEMPORAL_PORT: '0', MERIDIAN_TEMPORAL_UI_PORT: '0', MERIDIAN_POSTGRES_PORT: '0', MERIDIAN_AWS_PORT: '0' };
  env = { ...process.env, ...ports, MERIDIAN_HOME: join(scratch, 'home') };
  expect(await startMeridian(['up'], env).finished).toMatchObject({ code: 0 });
  stack = readStackEnv(join(scratch, 'home'));
  secrets['pgPassword'] = stack['PGPASSWORD'] ?? '';
  secrets['payloadKey'] = Buffer.from(KEYS.keys.get('k1') ?? []).toString('base64');
  writeFileSync(join(scratch, 'keys.json'), keyringJson(KEYS), { mode: 0o600 });
  writeFileSync(join(scratch, 'token'), secrets['codecToken'] ?? '', { mode: 0o600 });
  await runNights();
}, LIMIT_MS);
afterAll(async () => {
  worker?.child.kill('SIGKILL');
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  await startMeridian(['down', '--purge'], env).finished;
  rmSync(scratch, { recursive: true, force: true });
}, LIMIT_MS);

/** One night that succeeds, one that is cancelled while a call fails again and again, one that fails for good; all on real engines. */
async function runNights(): Promise<void> {
  const s3 = new S3Client(awsConfig());
  await putRawObject(s3);
  const notifications: string[] = [];
  const subscriber = await listen((body) => {
    notifications.push(body);
    return undefined;
  });
  const sns = new SNSClient(awsConfig());
  const TopicArn = stack['MERIDIAN_OUTCOME_TOPIC_ARN'];
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'http', Endpoint: subscriber }));
  await until(() => notifications.length > 0);
  const { Token } = JSON.parse(notifications[0] ?? '') as { readonly Token: string };
  await sns.send(new ConfirmSubscriptionCommand({ TopicArn, Token }));
  let emrIs: 'down' | 'up' | 'refusing' = 'down';
  const emr = await listen((_body, method) => {
    if (emrIs === 'down') return 500;
    return emrIs === 'refusing' && method === 'POST' ? 400 : undefined;
  }, stack['AWS_ENDPOINT_URL']);
  const workerEnv = {
    ...env,
    AWS_SECRET_ACCESS_KEY: secrets['awsSecret'],
    TEMPORAL_API_KEY: secrets['apiKey'],
    TEMPORAL_TLS: 'false', // with a key, TLS is the default
    MERIDIAN_PAYLOAD_KEYS: join(scratch, 'keys.json'),
    MERIDIAN_CODEC_TOKEN_FILE: join(scratch, 'token'),
    AWS_ENDPOINT_URL_EMR_SERVERLESS: emr,
    MERIDIAN_DEBUG: '1', // stack traces too
  };
  const command = (...args: readonly string[]) => startMeridian(args, workerEnv);
  worker = command('worker');
  await worker.said(/polls task queue/);

  const empty = await command('run', 'mobile-geolocation', '--interval-end', EMPTY_NIGHT, '--json').finished;
  const cancelledRun = command('run', 'mobile-geolocation', '--interval-end', FULL_NIGHT, '--json');
  await cancelledRun.said(/attempt 2/);
  emrIs = 'up';
  const cancel = await command('cycles', 'cancel', 'mobile-geolocation', FULL_NIGHT, '--json').finished;
  const cancelled = await cancelledRun.finished;
  emrIs = 'refusing';
  const failed = await command('run', 'mobile-geolocation', '--interval-end', FULL_NIGHT, '--json').finished;
  const show = await command('cycles', 'show', 'mobile-geolocation', FULL_NIGHT, '--json').finished;
  const list = await command('cycles', 'list').finished;
  const wrongPassword = await startMeridian(['cycles', 'list'], { ...workerEnv, PGPASSWORD: secrets['awsSecret'] }).finished;
  worker.child.kill('SIGTERM');
  outcomes = { empty, cancel, cancelled, failed, show, list, wrongPassword, worker: await worker.finished };

  for (const [name, { stdout, stderr }] of Object.entries(outcomes)) said.set(name, `${stdout}\n${stderr}`);
  await until(() => notifications.some((each) => each.includes('failed')));
  said.set('SNS', notifications.join('\n'));
  await readHistories();
  await readReports(s3);
  s3.destroy();
  sns.destroy();
}

/** What a message on its way needs to arrive; what never comes is for the tests to say. */
async function until(done: () => boolean): Promise<void> {
  for (let tries = 0; tries < 100 && !done(); tries++) await new Promise((next) => setTimeout(next, 100));
}

async function putRawObject(s3: S3Client): Promise<void> {
  const at = Date.parse(FULL_NIGHT) - 3_600_000;
  const good = { timestamp: at, icao24: data['device'], longitude: 8.5, latitude: 47.25, groundspeed: 100, altitude: 1_000, [data['field'] ?? '']: data['field'] };
  const lines = [
    good,
    { ...good, timestamp: at + 1, longitude: data['longitude'] },
    { ...good, timestamp: data['timestamp'] },
    { ...good, timestamp: at + 2, groundspeed: data['speed'] },
    { ...good, timestamp: at - 30 * 86_400_000 },
  ].map((line) => JSON.stringify(line));
  const Body = [...lines, `{"timestamp": ${at}, "icao24": "${data['cut'] ?? ''}`].join('\n');
  await s3.send(new PutObjectCommand({ Bucket: stack['MERIDIAN_RAW_BUCKET'], Key: 'mobile-geolocation/2018/08/01/23/gateway.json', Body }));
  // No job gets as far as reading them, but a night without them is not even submitted.
  for (const Key of Object.values(mobileGeolocation.transform.references)) await s3.send(new PutObjectCommand({ Bucket: stack['MERIDIAN_ARTIFACTS_BUCKET'], Key, Body: 'not read' }));
}

function awsConfig() {
  return {
    endpoint: stack['AWS_ENDPOINT_URL'] ?? '',
    region: stack['AWS_REGION'] ?? '',
    credentials: { accessKeyId: stack['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: stack['AWS_SECRET_ACCESS_KEY'] ?? '' },
  };
}

/** As AWS says that no retry will help. */
const REFUSAL = { 'Content-Type': 'application/json', 'x-amzn-errortype': 'ValidationException' } as const;

/** A server of the test's own that answers with `respond`'s status, else as `upstream` does (200 without one). */
async function listen(respond: (body: string, method: string | undefined) => number | undefined, upstream?: string): Promise<string> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const status = respond(body.toString('utf8'), request.method);
      if (status !== undefined || upstream === undefined) return response.writeHead(status ?? 200, status === 400 ? REFUSAL : {}).end('{"message":"refused by this test"}');
      const onward = forward(new URL(request.url ?? '/', upstream), { method: request.method, headers: request.headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      onward.once('error', () => response.writeHead(502).end());
      return onward.end(body);
    });
  });
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function readHistories(): Promise<void> {
  const connection = await Connection.connect({ address: stack['TEMPORAL_ADDRESS'] ?? '' });
  const client = new Client({ connection });
  for await (const { workflowId, runId, status } of client.workflow.list()) {
    said.set(`history ${workflowId} ${status.name} ${runId}`, await decryptedHistory(client, workflowId, runId, KEYS));
  }
  await connection.close();
}

/** Manifests, declarations, verdicts: all that a cycle writes about itself. */
async function readReports(s3: S3Client): Promise<void> {
  const Bucket = stack['MERIDIAN_ARTIFACTS_BUCKET'];
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: 1_000 }));
  for (const { Key = '' } of Contents.filter((each) => !(each.Key ?? '').startsWith('jobs/'))) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
    const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
    said.set(`report ${Key}`, (Key.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8'));
  }
}

test('the nights came out as they were meant to: an empty one, a cancelled one, a failed one', () => {
  expect(outcomes['empty']).toMatchObject({ code: 0 });
  expect(JSON.parse(outcomes['cancel']?.stdout ?? '')).toMatchObject({ workflowId: WORKFLOW_ID });
  expect(outcomes['cancelled']).toMatchObject({ code: 1 });
  expect(outcomes['failed']).toMatchObject({ code: 1, stderr: expect.stringContaining('refused by this test') as unknown });
  expect(outcomes['show']?.stdout).toContain('bad_line 1');
  expect(outcomes['wrongPassword']).toMatchObject({ code: 1, stderr: expect.stringMatching(/password authentication failed/) as unknown });
});

test('everything that is searched was there: logs, histories of all three, notifications, reports', () => {
  const names = [...said.keys()];

  expect(said.get('worker')).toContain(WORKFLOW_ID);
  expect(names.filter((name) => name.startsWith('history')).map((name) => name.split(' ')[2]).sort()).toEqual(['CANCELLED', 'COMPLETED', 'FAILED']);
  for (const name of names.filter((each) => each.startsWith('history etl'))) expect(said.get(name)?.includes('"intervalEnd"')).toBe(true);
  expect(names.filter((name) => name.startsWith('report')).length).toBeGreaterThan(0);
  expect(said.get('SNS')).toContain('failed');
  expect(said.get('SNS')).toContain('cancelled');
});

test('no secret of the process and no value of a raw object stands in any of it (X9)', () => {
  const leaks = [...said].flatMap(([where, text]) =>
    Object.entries({ ...secrets, ...data })
      .filter(([, value]) => text.includes(value))
      .map(([what]) => `${what} in ${where}`),
  );

  expect(Object.values(secrets).filter((value) => value.length < 16)).toEqual([]);
  expect(leaks).toEqual([]);
});

test("PostgreSQL's complaint about a served row becomes a failure that does not quote the row", async () => {
  const value = canary('served');
  const client = new PgClient({ host: stack['PGHOST'], port: Number(stack['PGPORT']), database: stack['PGDATABASE'], user: stack['PGUSER'], password: stack['PGPASSWORD'] });
  await client.connect();
  await client.query('create table canary (id text primary key, note text check (length(note) < 50), speed text)');
  await client.query('insert into canary values ($1, $1, $1)', [value]);
  const statements = [
    `insert into canary values ('${value}', '', '')`, // the detail quotes the key
    `insert into canary values ('other', '${value}${'x'.repeat(50)}', '')`, // the detail quotes the row
    'select speed::double precision from canary', // the message quotes the value
    'select speed::timestamptz from canary',
    'alter table canary alter column speed type integer using speed::integer',
  ];

  const failures: string[] = [];
  for (const statement of statements) {
    const error: unknown = await client.query(statement).then(() => undefined, (each: unknown) => each);
    failures.push(JSON.stringify(new DefaultFailureConverter().errorToFailure(mapped(error), defaultPayloadConverter)));
  }
  await client.query('drop table canary');
  await client.end();

  expect(failures.map((failure) => /code=(\w+)/.exec(failure)?.[1])).toEqual(['23505', '23514', '22P02', '22007', '22P02']);
  expect(failures.filter((failure) => failure.includes(value))).toEqual([]);
});
