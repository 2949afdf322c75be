import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { StartJobRunCommand } from '@aws-sdk/client-emr-serverless';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { Client as PgClient } from 'pg';
import { cycleWorkflowId } from '../../domain/cycle';
import { BUNDLE_CACHE } from '../support/worker';
import { audit } from './audit/audit';
import type { AuditedNight, AuditSubject } from './audit/subject';
import { TAMPERINGS } from './audit/tampering';
import { Lab } from './lab';
import { faultPipeline } from './pipeline';
import { nightEnd, rawNight, type RawUpload } from './raw-night';

const spec = faultPipeline('audited');
const SEED = 7;
const NIGHT_LIMIT_MS = 60_000;
const SCRIPTS = [{}, { check: { outcome: 'fail-rule' } }, {}] as const;
const EXPECTED = ['promoted', 'rejected', 'promoted'] as const;

let lab: Lab;
let sound: AuditSubject;

async function runNights(): Promise<readonly AuditedNight[]> {
  const nights: AuditedNight[] = [];
  for (const [at, script] of SCRIPTS.entries()) {
    const index = at + 1;
    const earlier: readonly RawUpload[] = nights.flatMap((night) => night.uploads);
    const uploads = rawNight(spec.name, index, SEED, earlier);
    await lab.upload(uploads);
    await lab.script(spec, index, script);
    const { outcome, detail } = await lab.ended(await lab.startNight(spec, index), NIGHT_LIMIT_MS);
    if (outcome !== EXPECTED[at]) throw new Error(`Night ${index} ended ${outcome}, expected ${EXPECTED[at]}: ${detail}`);
    nights.push({ intervalEnd: nightEnd(index), workflowId: cycleWorkflowId(spec.name, nightEnd(index)), expected: outcome, uploads });
  }
  return nights;
}

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  lab = await Lab.start([spec]);
  const nights = await runNights();
  await lab.workers.stop();
  sound = {
    spec,
    access: lab.access,
    nights,
    outcomes: await lab.outcomes.drain(),
    workers: { workDirs: lab.workers.workDirs, running: false, killed: false },
    bundleDir: BUNDLE_CACHE,
  };
}, 300_000);
afterAll(() => lab.stop(), 60_000);

test('a promoted, a rejected and another promoted night pass every invariant, and their records are counted (I1–I9)', async () => {
  const { violations, counts } = await audit(sound);

  expect(violations).toEqual([]);
  expect(counts).toMatchObject({ lost: 0, duplicated: 0, promotions: 2, generations: 3, jobs: 9, jobsPerTokenMax: 1, histories: 3, notifications: 3 });
  expect(counts.records).toBeGreaterThan(300);
  expect(counts.quarantined).toBeGreaterThan(10);
});

test.each(TAMPERINGS)('the auditor names $names for $what', async ({ names, says, plant }) => {
  const { subject = sound, undo } = await plant(sound);
  try {
    const { violations } = await audit(subject);

    expect(violations.map(({ message }) => message).join('\n')).toMatch(says);
    expect([...new Set(violations.map(({ invariant }) => invariant))].sort()).toEqual(names);
  } finally {
    await undo?.();
  }
});

test('the auditor names I7 for a transaction of the worker left open, and for files that it left', async () => {
  const { env } = lab.engines;
  const worker = new PgClient({ host: env['PGHOST'], port: Number(env['PGPORT']), database: env['PGDATABASE'], user: env['PGUSER'], password: env['PGPASSWORD'] });
  await worker.connect();
  await worker.query('begin');
  const [dir = ''] = sound.workers.workDirs;
  const scratch = join(dir, 'chunks', 'chunk-left');
  mkdirSync(scratch, { recursive: true });
  try {
    const { violations } = await audit(sound);

    expect(violations.map(({ invariant, message }) => `${invariant} ${message}`)).toEqual([
      expect.stringMatching(/^I7 1 transaction\(s\) of the worker left open/),
      expect.stringMatching(/^I7 1 scratch folder\(s\).*chunk-left/),
    ]);
  } finally {
    await worker.end();
    rmSync(scratch, { recursive: true });
  }
});

test('the auditor names I9 for an outcome that was told again, unless the scenario lost its answer', async () => {
  const { env } = lab.engines;
  const [first] = sound.outcomes ?? [];
  const sns = new SNSClient({ endpoint: env['AWS_ENDPOINT_URL'] ?? '', region: env['AWS_REGION'] ?? '', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } });
  const cycle = { pipeline: spec.name, intervalEnd: first?.intervalEnd, generation: first?.generation };
  await sns.send(new PublishCommand({ TopicArn: env['MERIDIAN_OUTCOME_TOPIC_ARN'], Message: JSON.stringify({ ...first, cycle }) }));
  sns.destroy();
  const outcomes = await lab.outcomes.drain();

  const repeated = await audit({ ...sound, outcomes });
  const excused = await audit({ ...sound, outcomes, lostNotification: true });

  expect(repeated.violations).toEqual([{ invariant: 'I9', message: '1 message(s) repeat an outcome that was told before' }]);
  expect(repeated.counts.repeatedNotifications).toBe(1);
  expect(excused.violations).toEqual([]);
});

test('the auditor names I8 for a workflow that runs, and nothing once it has ended without having begun', async () => {
  const handle = await lab.access.temporal.workflow.start('etlCycle', {
    workflowId: cycleWorkflowId(spec.name, nightEnd(9)),
    taskQueue: 'nobody-polls',
    args: [{ pipeline: spec.name, intervalEnd: nightEnd(9) }],
  });

  const running = await audit({ ...sound, nights: [...sound.nights, { intervalEnd: nightEnd(9), workflowId: handle.workflowId, expected: 'any', uploads: [] }] });
  await handle.terminate();
  const ended = await audit(sound);

  expect(running.violations).toEqual([{ invariant: 'I8', message: expect.stringContaining('is still running') as string }]);
  expect(ended.violations).toEqual([]);
});

// Last: a service keeps its runs for ever.
test('the auditor names I5 for a second EMR run with the same token prefix (X1)', async () => {
  const { emr, names, pool } = lab.access;
  const { rows } = await pool.query<{ client_token: string }>(
    `select client_token from meridian.job where pipeline = $1 and kind = 'emr' and interval_end = '2024-01-02'`,
    [spec.name],
  );
  const token = rows[0]?.client_token ?? '';
  await emr.send(
    new StartJobRunCommand({
      applicationId: names.emrApplicationId,
      clientToken: `${token.slice(0, 40)}-again`,
      executionRoleArn: lab.engines.env['MERIDIAN_EMR_JOB_ROLE_ARN'],
      name: `${spec.name}-${token.slice(0, 40)}`,
      jobDriver: { sparkSubmit: { entryPoint: `${lab.engines.env['MERIDIAN_JOBS_URI']}/positions.py`, entryPointArguments: [] } },
      tags: { 'meridian:pipeline': spec.name, 'meridian:generation': `${spec.name}/20240102T000000Z/g0001`, 'meridian:step': 'transform' },
    }),
  );

  const { violations, counts } = await audit(sound);

  expect(counts.jobsPerTokenMax).toBe(2);
  expect(violations.filter(({ invariant }) => invariant === 'I5').map(({ message }) => message)).toEqual(
    expect.arrayContaining([expect.stringMatching(/^2 runs were started for emr/), expect.stringMatching(/is not the one on record/)]),
  );
});
