import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { ListJobRunsCommand } from '@aws-sdk/client-emr-serverless';
import { GetTablesCommand } from '@aws-sdk/client-glue';
import { paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { ACTIVITY_GROUP_NAMES } from '../../domain/activity-groups';
import { CycleOutcome } from '../../domain/cycle';
import { awsKeysFile } from '../../infra/local/aws-keys';
import { stackEnvFile } from '../../infra/local/stack-env';
import { taskEnvironment } from '../../infra/local/task-environment';
import { readWorkerConfig, type WorkerConfig } from '../../worker/config';
import { Lab } from '../faults/lab';
import { deduplicatedBySpark, faultPipeline } from '../faults/pipeline';
import { rawNight, type RawUpload } from '../faults/raw-night';
import { type Actor, actorClients, type ActorClients, GUARDED_CALLS, type GuardedCall, PASSED_AMISS, type SessionCredentials } from '../support/refused-calls';

const LIMIT_MS = 180_000;
const SPEC = faultPipeline('enforced');
const BY_SPARK = deduplicatedBySpark(faultPipeline('enforced-spark'));
const ACTORS: readonly Actor[] = [...ACTIVITY_GROUP_NAMES, 'worker', 'sparkJob', 'dedupJob', 'quality'];
const TABLE = SPEC.relations[0]?.name ?? '';

let lab: Lab;
let config: WorkerConfig;
const clients = new Map<Actor, ActorClients>();

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  lab = await Lab.start([SPEC, BY_SPARK], true);
  config = readWorkerConfig(lab.engines.env);
}, LIMIT_MS);
afterAll(async () => {
  for (const each of clients.values()) for (const client of Object.values(each) as { destroy(): void }[]) client.destroy();
  await lab?.stop();
}, LIMIT_MS);

const setting = (name: string): string => lab.engines.env[name] ?? '';

/** What the administrator changes about roles, as nobody of the product may. */
function administer(request: Readonly<Record<string, unknown>>): unknown {
  const env = { ...process.env, ...lab.engines.env, AWS_DEFAULT_REGION: setting('AWS_REGION') };
  const answer = execFileSync(setting('MERIDIAN_PYTHON'), [join(__dirname, 'enforced-roles.py')], { input: JSON.stringify(request), env });
  return JSON.parse(answer.toString());
}

/** As a container of a task gets them. */
async function taskCredentials(role: string): Promise<SessionCredentials> {
  const env = taskEnvironment({ ...lab.engines.env, MERIDIAN_WORKER_ROLE_ARN: role });
  const response = await fetch(env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] ?? '', { headers: { authorization: env['AWS_CONTAINER_AUTHORIZATION_TOKEN'] ?? '' } });
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: sessionToken } = (await response.json()) as Record<string, string>;
  return { accessKeyId: accessKeyId ?? '', secretAccessKey: secretAccessKey ?? '', sessionToken: sessionToken ?? '' };
}

/** Credentials as the actor itself has them; a service's role is taken on by a copy with its policies, since it trusts the service alone. */
async function credentialsOf(actor: Actor): Promise<SessionCredentials> {
  const worker = await taskCredentials(setting('MERIDIAN_WORKER_ROLE_ARN'));
  if (actor === 'worker') return worker;
  if (actor === 'sparkJob' || actor === 'dedupJob' || actor === 'quality') {
    const of = { sparkJob: config.emrJobRoleArn, dedupJob: config.emrDedupRoleArn, quality: config.glueRoleArn };
    const copy = administer({ copy: of[actor], name: `as-${actor}` });
    return taskCredentials(String(copy));
  }
  const sts = new STSClient({ endpoint: setting('AWS_ENDPOINT_URL'), region: config.region, credentials: worker });
  const { Credentials } = await sts.send(new AssumeRoleCommand({ RoleArn: config.roles[actor], RoleSessionName: 'test' }));
  sts.destroy();
  return { accessKeyId: Credentials?.AccessKeyId ?? '', secretAccessKey: Credentials?.SecretAccessKey ?? '', sessionToken: Credentials?.SessionToken ?? '' };
}

async function clientsOf(actor: Actor): Promise<ActorClients> {
  const known = clients.get(actor) ?? actorClients(setting('AWS_ENDPOINT_URL'), config.region, await credentialsOf(actor));
  clients.set(actor, known);
  return known;
}

/** `refused`, or what came instead. */
async function outcomeOf(call: GuardedCall, actor: Actor): Promise<string> {
  try {
    await call.send(await clientsOf(actor), config, TABLE);
    return 'done';
  } catch (error) {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return text.includes(`is not authorized to perform: ${call.action}`) ? 'refused' : text;
  }
}

/** All that a call could have changed. */
async function stateOfTheLake(): Promise<unknown> {
  const { s3, dynamodb, emr, glue } = lab.access;
  const objects: string[] = [];
  for (const Bucket of Object.values(config.buckets)) {
    for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket })) objects.push(...Contents.map(({ Key, ETag }) => `${Bucket}/${Key} ${ETag}`));
  }
  const rows = await Promise.all([config.ledgerTable, config.objectsTable].map((TableName) => dynamodb.send(new ScanCommand({ TableName }))));
  const { jobRuns = [] } = await emr.send(new ListJobRunsCommand({ applicationId: config.emrApplicationId }));
  const { TableList = [] } = await glue.send(new GetTablesCommand({ DatabaseName: config.glueDatabase }));
  return { objects, rows: rows.map(({ Items }) => Items), runs: jobRuns.map(({ id }) => id), tables: TableList.map(({ Name }) => Name) };
}

async function night(index: number, spec = SPEC): Promise<{ readonly outcome: string; readonly detail: string }> {
  const before = Array.from({ length: index - 1 }, (_, at) => at + 1).reduce<readonly RawUpload[]>((sum, at) => [...sum, ...rawNight(spec.name, at, 1, sum)], []);
  await lab.upload(rawNight(spec.name, index, 1, before));
  return lab.ended(await lab.startNight(spec, index), LIMIT_MS);
}

test('with every call held against its policies a cycle promotes, under the credentials of the roles and no others (S2.21, S1.13, X14)', async () => {
  expect(await night(1)).toEqual({ outcome: CycleOutcome.Promoted, detail: '' });
  // What runs beside the cycles is allowed too: whoever takes events and reports the backlog only logs a refusal.
  expect(readFileSync(join(lab.engines.home, 'logs', 'worker-w1.log'), 'utf8')).not.toContain('not authorized');
});

test('a Spark run deduplicates under a role and a policy of its own: raw objects, quarantine, and what an earlier run stored (S2.21)', async () => {
  expect(await night(1, BY_SPARK)).toEqual({ outcome: CycleOutcome.Promoted, detail: '' });
  expect(await night(2, BY_SPARK)).toEqual({ outcome: CycleOutcome.Promoted, detail: '' });
}, LIMIT_MS);

test('the administrator’s keys are for the owner’s eyes, and the worker’s process has none (S2.21)', () => {
  const [keys, stack] = [awsKeysFile(lab.engines.home), stackEnvFile(lab.engines.home)];
  const { secretAccessKey, taskToken } = JSON.parse(readFileSync(keys, 'utf8')) as { readonly secretAccessKey: string; readonly taskToken: string };

  const environment = readFileSync(`/proc/${lab.workers.pid}/environ`, 'utf8');

  expect([keys, stack].map((file) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600]);
  expect(environment).not.toContain(secretAccessKey);
  expect(environment).not.toMatch(/AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN)=/);
  expect(environment).toContain(`AWS_CONTAINER_AUTHORIZATION_TOKEN=${taskToken}`);
});

test('a role used for another’s action is refused, whoever has it, and nothing has changed (S2.21, S1.13)', async () => {
  const before = await stateOfTheLake();
  const passed: string[] = [];

  for (const actor of ACTORS) {
    for (const call of GUARDED_CALLS.filter(({ by }) => !by.includes(actor))) {
      const outcome = await outcomeOf(call, actor);
      if (outcome !== 'refused') passed.push(`${actor} ${call.action} on ${call.on}: ${outcome}`);
    }
  }

  expect(passed).toEqual([]);
  expect(await outcomeOf(PASSED_AMISS, 'transform')).toBe('refused');
  expect(await stateOfTheLake()).toEqual(before);
}, LIMIT_MS);

test('each group’s role is taken by the worker alone: no group takes another’s (S2.21)', async () => {
  for (const actor of ACTIVITY_GROUP_NAMES) {
    const sts = new STSClient({ endpoint: setting('AWS_ENDPOINT_URL'), region: config.region, credentials: await credentialsOf(actor) });
    for (const RoleArn of Object.values(config.roles)) {
      await expect(sts.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'test' }))).rejects.toThrow(/not authorized to perform: sts:AssumeRole/);
    }
    sts.destroy();
  }
});

test('a policy that lacks one action fails the cycle, which names the action; with every policy put back the next one promotes (S2.21)', async () => {
  const lacking = [
    { role: config.roles.transform, action: 'emr-serverless:StartJobRun', index: 2 },
    { role: config.glueRoleArn, action: 'glue:GetPartitions', index: 3 },
  ];
  for (const { role, action, index } of lacking) {
    const restore = administer({ role, without: action });

    const broken = await night(index);
    administer({ role, restore });

    expect(broken).toEqual({ outcome: CycleOutcome.Failed, detail: expect.stringContaining(action) as string });
  }
  expect(await night(4)).toEqual({ outcome: CycleOutcome.Promoted, detail: '' });
}, LIMIT_MS);
