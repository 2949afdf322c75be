import { DefaultLogger, Runtime } from '@temporalio/worker';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { shadowName, shadowOf } from '../../domain/shadow-pipeline';
import { BUNDLE_CACHE } from '../support/worker';
import { audit } from './audit/audit';
import { comparedReport, contentOf, diffOf, dryRunLeftovers, publishedState, reaches, startDryRun } from './dry-runs';
import type { AwsCall } from './engines/aws-proxy';
import { Lab } from './lab';
import { faultPipeline } from './pipeline';
import { nightEnd, rawNight, type RawUpload } from './raw-night';

const LIMIT_MS = 120_000;
const NIGHT_MS = 60_000;
const READS = ['dynamodb.Query', 'dynamodb.GetItem', 'dynamodb.BatchGetItem'];
const NAMES = ['pass', 'gate', 'both', 'broken', 'gone', 'killed'] as const;
type Name = (typeof NAMES)[number];
const SPECS = Object.fromEntries(NAMES.map((name, index) => [name, faultPipeline(`dry-${name}-s${index + 1}`)])) as Readonly<Record<Name, PipelineSpec>>;

let lab: Lab;
const uploads = new Map<string, RawUpload[][]>();

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  lab = await Lab.start(Object.values(SPECS));
  await Promise.all(Object.values(SPECS).map(async (spec) => {
    await upload(spec, 1);
    await promoted(spec, 1);
    await upload(spec, 2);
  }));
}, LIMIT_MS);
afterAll(() => lab?.stop(), LIMIT_MS);

async function upload(spec: PipelineSpec, index: number): Promise<void> {
  const nights = uploads.get(spec.name) ?? [];
  const night = [...rawNight(spec.name, index, 7, nights.flat())];
  uploads.set(spec.name, [...nights, night]);
  await lab.upload(night);
}

async function promoted(spec: PipelineSpec, index: number): Promise<void> {
  expect(await lab.ended(await lab.startNight(spec, index), NIGHT_MS)).toMatchObject({ outcome: 'promoted' });
}

/** How the shadow's scripted job and gate behave; a real cycle of the same night behaves as ever. */
function scriptShadow(spec: PipelineSpec, behaviour: Readonly<Record<string, unknown>>): Promise<void> {
  return lab.script({ ...spec, name: shadowName(spec.name) }, 2, behaviour);
}

/** Every call that the worker makes to AWS while `body` runs. */
async function callsOf<T>(body: () => Promise<T>): Promise<{ readonly made: T; readonly calls: readonly AwsCall[] }> {
  const calls: AwsCall[] = [];
  lab.engines.aws.arm({ from: 1, times: 0, act: async () => undefined, matches: (call) => calls.push(call) < 0 });
  const made = await body();
  lab.engines.disarm();
  return { made, calls };
}

async function violationsOf(spec: PipelineSpec): Promise<readonly string[]> {
  const nights = (uploads.get(spec.name) ?? []).map((night, at) => ({
    ...{ intervalEnd: nightEnd(at + 1), workflowId: `etl/${spec.name}-${nightEnd(at + 1)}`, expected: 'promoted' as const, uploads: night },
  }));
  const workers = { workDirs: lab.workers.workDirs, running: true, killed: true };
  const report = await audit({ spec, access: lab.access, nights, outcomes: await lab.outcomes.drain(), workers, bundleDir: BUNDLE_CACHE });
  return report.violations.map(({ invariant, message }) => `${invariant}: ${message}`);
}

const pointsOf = (spec: PipelineSpec) => spec.quality.relation;

test('a dry run compares the night with what is served and changes nothing: no write to ledger, objects, storage, quarantine or view; the night then gives the same rows (X4, S0.7)', async () => {
  const spec = SPECS.pass;
  const points = pointsOf(spec);
  const before = await publishedState(lab, spec);
  const served = Number((before['views'] as readonly { rows: readonly { count: number }[] }[])[0]?.rows[0]?.count);
  const { made: { handle, report }, calls } = await callsOf(async () => {
    const started = await startDryRun(lab, spec, 2);
    return { handle: started, report: await comparedReport(started) };
  });

  expect(report).toMatchObject({ outcome: 'promoted', cycle: { pipeline: `${spec.name}.dry`, generation: 1 } });
  expect(await publishedState(lab, spec)).toEqual(before);
  expect([...new Set(calls.filter(({ service }) => service === 'dynamodb').map(({ service, operation }) => `${service}.${operation}`))].filter((each) => !READS.includes(each))).toEqual([]);
  expect(calls.filter(({ service }) => service === 'dynamodb').length).toBeGreaterThan(4);
  expect(calls.filter(({ service }) => ['sns', 'monitoring'].includes(service))).toEqual([]);
  const written = calls.filter(({ service, operation }) => service === 's3' && /Put|Delete|Multipart|Copy/.test(operation)).map(({ path }) => path);
  const artifacts = `/${lab.access.names.buckets.artifacts}`;
  // Deletions name the bucket only; what they may delete are the two prefixes too, or the state above would differ.
  const allowed = new RegExp(`^${artifacts}/((dry-runs|cycles)/${spec.name}\\.dry/.*)?$`);
  expect(written.filter((path) => !allowed.test(path))).toEqual([]);
  expect(written.filter((path) => path.endsWith('.parquet')).length).toBeGreaterThan(2);

  const stored = report.records?.stored ?? 0;
  const change = report.diff?.relations.find(({ relation }) => relation === points);
  expect(stored).toBeGreaterThan(150);
  expect(change).toMatchObject({ liveVersion: 1, before: served, after: served + stored, added: stored, removed: 0, changed: served, changedColumns: { night: served } });
  const diff = await diffOf(lab, report);
  expect(diff.rules).toEqual(report.rules);
  expect(diff.relations[0]?.samples.added).toHaveLength(10);
  expect(diff.relations[0]?.samples.changed[0]).toMatchObject({ before: { night: nightEnd(1) }, after: { night: nightEnd(2) } });
  expect(diff.relations[1]?.samples).toMatchObject({ removed: [{ night: nightEnd(1) }], added: [{ night: nightEnd(2), records: served + stored }] });

  await promoted(spec, 2);
  for (const { name, view } of spec.relations) expect(await contentOf(lab, spec, name, shadowOf(view))).toBe(await contentOf(lab, spec, name, view));
  await handle.signal('drop');
  expect(await handle.result()).toMatchObject({ outcome: 'promoted', workflowId: handle.workflowId });
  expect(await dryRunLeftovers(lab, spec)).toEqual([]);
  expect(await violationsOf(spec)).toEqual([]);
}, LIMIT_MS);

test('a dry run whose gate fails says what a night would be rejected for, shows the rows all the same, points no view at them, and leaves the night alone (X4, I4)', async () => {
  const spec = SPECS.gate;
  const before = await publishedState(lab, spec);
  await scriptShadow(spec, { check: { added: { outcome: 'fail-rule' } } });

  const handle = await startDryRun(lab, spec, 2);
  const report = await comparedReport(handle);

  expect(report).toMatchObject({ outcome: 'rejected', reason: expect.stringContaining('added: RowCount > 0') as string });
  expect(report.diff?.relations[0]?.added).toBe(report.records?.stored);
  expect(await publishedState(lab, spec)).toEqual(before);
  expect((await dryRunLeftovers(lab, spec)).filter((name) => name.startsWith('v '))).toEqual([]);
  expect((await dryRunLeftovers(lab, spec)).filter((name) => name.startsWith('r '))).toHaveLength(2);
  await handle.cancel();
  expect(await handle.result()).toMatchObject({ outcome: 'rejected' });
  expect(await dryRunLeftovers(lab, spec)).toEqual([]);
  await promoted(spec, 2);
  expect(await violationsOf(spec)).toEqual([]);
}, LIMIT_MS);

test.each([
  ['the dry run first', 'dry'],
  ['the night first, its chunks stored and not promoted yet', 'night'],
] as const)('a dry run and the night of the same interval at once, %s: both find every record new, and the night is promoted undisturbed (X4, I2)', async (_, first) => {
  const spec = SPECS.both;
  const index = first === 'dry' ? 2 : 3;
  if (index === 3) await upload(spec, index);
  const slow = { transform: { seconds: 3 } };
  await lab.script(first === 'dry' ? { ...spec, name: shadowName(spec.name) } : spec, index, slow);

  const dry = async () => startDryRun(lab, spec, index);
  const night = async () => lab.startNight(spec, index);
  const leader = first === 'dry' ? await dry() : await night();
  await reaches(leader, 'transform');
  const dryHandle = first === 'dry' ? (leader as Awaited<ReturnType<typeof dry>>) : await dry();
  const nightHandle = first === 'dry' ? await night() : (leader as Awaited<ReturnType<typeof night>>);
  const [report, ended] = await Promise.all([comparedReport(dryHandle), lab.ended(nightHandle, NIGHT_MS)]);

  expect(ended).toMatchObject({ outcome: 'promoted' });
  const cycle = await nightHandle.result();
  expect(report).toMatchObject({ outcome: 'promoted', records: cycle.records });
  expect(await contentOf(lab, spec, pointsOf(spec), shadowOf(`vw_${pointsOf(spec)}`))).toBe(await contentOf(lab, spec, pointsOf(spec), `vw_${pointsOf(spec)}`));
  await dryHandle.signal('drop');
  await dryHandle.result();
  expect(await dryRunLeftovers(lab, spec)).toEqual([]);
  expect(await violationsOf(spec)).toEqual([]);
}, LIMIT_MS);

test('a dry run that fails or is cancelled leaves nothing, at once (X4, I7)', async () => {
  const spec = SPECS.broken;
  const before = await publishedState(lab, spec);
  await scriptShadow(spec, { transform: { outcome: 'lose-row', in: 'copy' } });
  const failed = await startDryRun(lab, spec, 2);
  await expect(failed.result()).rejects.toMatchObject({ cause: expect.anything() as unknown });
  expect(await dryRunLeftovers(lab, spec)).toEqual([]);

  await scriptShadow(spec, { transform: { seconds: 60 } });
  const cancelled = await startDryRun(lab, spec, 2);
  await reaches(cancelled, 'transform');
  await cancelled.cancel();
  await cancelled.result().catch(() => undefined);

  expect((await cancelled.describe()).status.name).toBe('CANCELLED');
  expect(await dryRunLeftovers(lab, spec)).toEqual([]);
  expect(await publishedState(lab, spec)).toEqual(before);
}, LIMIT_MS);

test('the shadow goes when its time is over, and with the next dry run of the pipeline where one was terminated or is kept (X4, I7)', async () => {
  const spec = SPECS.gone;
  const timed = await startDryRun(lab, spec, 2, 1 / 3_600);
  expect(await timed.result()).toMatchObject({ outcome: 'promoted', shadow: [{ relation: shadowOf(pointsOf(spec)) }, {}] });
  expect(await dryRunLeftovers(lab, spec)).toEqual([]);

  const terminated = await startDryRun(lab, spec, 2, 2);
  await comparedReport(terminated);
  await terminated.terminate('by the test');
  expect(await dryRunLeftovers(lab, spec)).not.toEqual([]);
  const kept = await startDryRun(lab, spec, 2, 2);
  await comparedReport(kept);
  await upload(spec, 3);
  const last = await startDryRun(lab, spec, 3, 0);
  expect(await last.result()).toMatchObject({ outcome: 'promoted' });

  // The one that was kept was told, and has ended too.
  expect(await kept.result()).toMatchObject({ outcome: 'promoted' });
  expect(await dryRunLeftovers(lab, spec)).toEqual([]);
}, LIMIT_MS);

test('a worker killed as it commits a chunk costs a dry run nothing but time: what it had committed is built on (X4, I1)', async () => {
  const spec = SPECS.killed;
  const { artifacts } = lab.access.names.buckets;
  const struck = lab.engines.aws.arm({
    ...{ from: 1, times: 1 },
    matches: ({ operation, path }) => operation === 'PutObject' && path.startsWith(`/${artifacts}/dry-runs/${spec.name}.dry/`) && path.endsWith('/000001.json'),
    act: async (exchange) => {
      await exchange.forward();
      await lab.workers.kill();
      exchange.cut();
    },
  });

  const handle = await startDryRun(lab, spec, 2, 0);
  const report = await handle.result();
  lab.engines.disarm();
  await lab.workers.settle();

  expect(struck()).toBe(1);
  expect(report).toMatchObject({ outcome: 'promoted' });
  expect(report.diff?.relations[0]).toMatchObject({ added: report.records?.stored, removed: 0 });
  expect(await dryRunLeftovers(lab, spec)).toEqual([]);
  await promoted(spec, 2);
  const cycle = await lab.access.temporal.workflow.getHandle(`etl/${spec.name}-${nightEnd(2)}`).result() as { records: unknown };
  expect(cycle.records).toEqual(report.records);
}, LIMIT_MS);
