import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { GetObjectCommand, HeadObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { cycleWorkflowId } from '../../domain/cycle';
import { startMeridian } from '../e2e/meridian-process';
import { refusedWith } from '../faults/engines/aws-faults';
import { Lab } from '../faults/lab';
import { NIGHT_LIMIT_MS } from '../faults/nights';
import { faultPipeline } from '../faults/pipeline';
import { plant, uproot } from '../faults/planted/plant';
import { nightEnd, rawNight } from '../faults/raw-night';
import { HISTORY_PREFIX } from '../../worker/history-archive';
import { PageShell, pageCommands } from '../support/documented-page';

const LIMIT_MS = 5 * 60_000;
const spec = faultPipeline('h1-archived');
const struck = faultPipeline('h2-archive-struck');
const HISTORIES = resolve(__dirname, 'histories');
let lab: Lab;
let home: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  lab = await Lab.start([spec, struck]);
  home = mkdtempSync(join(tmpdir(), 'meridian-replay-'));
  env = { ...process.env, ...lab.engines.env, MERIDIAN_HOME: home, MERIDIAN_WORK_DIR: join(home, 'work') };
}, LIMIT_MS);
afterAll(async () => {
  await lab?.stop();
  rmSync(home, { recursive: true, force: true });
}, LIMIT_MS);

const meridian = (...args: readonly string[]) => startMeridian(args, env).finished;

async function archivedKeys(): Promise<readonly string[]> {
  const { Contents = [] } = await lab.access.s3.send(new ListObjectsV2Command({ Bucket: lab.access.names.buckets.artifacts, Prefix: HISTORY_PREFIX }));
  return Contents.map(({ Key = '' }) => Key);
}

test(
  'the history of every ended execution is archived once, of a terminated one too, and replays from there (X7, I8)',
  async () => {
    const outcomes = [];
    for (const index of [1, 2]) {
      await lab.upload(rawNight(spec.name, index, 1, []));
      if (index === 2) await lab.script(spec, 2, { transform: { seconds: 60 } });
      const night = await lab.startNight(spec, index);
      if (index === 2) {
        while ((await lab.access.pool.query(`select from meridian.job where pipeline = $1 and interval_end = $2`, [spec.name, nightEnd(2)])).rowCount === 0) await new Promise((tick) => setTimeout(tick, 50));
        await night.terminate('a test');
      }
      outcomes.push((await lab.ended(night, NIGHT_LIMIT_MS)).outcome);
    }
    expect(outcomes).toEqual(['promoted', 'terminated']);

    expect(await archivedKeys()).toEqual([]);
    const first = await meridian('archive', '--json');
    const second = await meridian('archive', '--json');

    expect([first.code, second.code]).toEqual([0, 0]);
    expect([JSON.parse(first.stdout), JSON.parse(second.stdout)]).toEqual([
      { archived: 2, known: 0, lost: 0, failed: [] },
      { archived: 0, known: 2, lost: 0, failed: [] },
    ]);
    const keys = await archivedKeys();
    for (const index of [1, 2]) expect(keys.filter((key) => key.includes(encodeURIComponent(cycleWorkflowId(spec.name, nightEnd(index)))))).toHaveLength(1);
    const { Metadata } = await lab.access.s3.send(new HeadObjectCommand({ Bucket: lab.access.names.buckets.artifacts, Key: keys.find((key) => key.includes(encodeURIComponent(nightEnd(1)))) ?? '' }));
    expect(Metadata).toMatchObject({ 'workflow-type': 'etlCycle', outcome: 'promoted' });
    const replayed = await meridian('replay', '--archive', '--pipeline', spec.name, '--strict-inputs', '--json');
    expect(replayed.code).toBe(0);
    expect(JSON.parse(replayed.stdout)).toMatchObject({ summary: { replayed: 2, diverged: 0, broken: 0, otherInputs: 0 } });
    const none = await meridian('replay', '--archive', '--since', '2999-01-01');
    expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('No history was found in the archive since 2999-01-01') as string]);
    expect((await meridian('replay', '--namespace', '--limit', '5')).code).toBe(0);
  },
  LIMIT_MS,
);

test(
  'an archive that refuses, and a worker killed as it archives, hold up no cycle and leave no gap: the next worker archives each history once (X7, I8)',
  async () => {
    const { artifacts } = lab.access.names.buckets;
    const copies = (index: number) => archivedKeys().then((keys) => keys.filter((key) => key.includes(encodeURIComponent(cycleWorkflowId(struck.name, nightEnd(index))))));
    const toArchive = ({ operation, path }: { readonly operation: string; readonly path: string }) => operation === 'PutObject' && path.startsWith(`/${artifacts}/${HISTORY_PREFIX}`);
    const archiving = { env: { MERIDIAN_ARCHIVE_SECONDS: '1' } };
    const refused = lab.engines.aws.arm({ from: 1, times: 1_000_000, matches: toArchive, act: refusedWith(403, 'AccessDenied') });
    await lab.workers.restart(archiving);
    for (const index of [1, 2]) {
      await lab.upload(rawNight(struck.name, index, 1, []));
      expect((await lab.ended(await lab.startNight(struck, index), NIGHT_LIMIT_MS)).outcome).toBe('promoted');
    }
    while (refused() < 3) await new Promise((tick) => setTimeout(tick, 50));
    expect([await copies(1), await copies(2)]).toEqual([[], []]);
    lab.engines.disarm();

    await new Promise<void>((killed) => {
      lab.engines.aws.arm({
        ...{ from: 1, times: 1 },
        matches: toArchive,
        act: async (exchange) => {
          await exchange.forward();
          await lab.workers.kill();
          exchange.cut();
          killed(); // not before: the worker that takes its place must be known, so that it is stopped
        },
      });
    });
    await lab.workers.settle();
    await lab.workers.restart(archiving);

    while ((await copies(1)).length * (await copies(2)).length === 0) await new Promise((tick) => setTimeout(tick, 50));
    expect((await meridian('archive', '--json')).stdout).toContain('"archived": 0');
    expect([(await copies(1)).length, (await copies(2)).length]).toEqual([1, 1]);
    lab.engines.disarm();
  },
  LIMIT_MS,
);

test(
  'a history as the temporal CLI exports it replays from a folder, and an incompatible edit is caught with its event and exit code 1 (X7)',
  async () => {
    const folder = join(home, 'exported');
    cpSync(HISTORIES, folder, { recursive: true, filter: (path) => path === HISTORIES || /(promoted|rolled-back)\.json$/.test(path) });
    const key = (await archivedKeys()).find((each) => each.includes(encodeURIComponent(cycleWorkflowId(spec.name, nightEnd(1))))) ?? '';
    const { Body } = await lab.access.s3.send(new GetObjectCommand({ Bucket: lab.access.names.buckets.artifacts, Key: key }));
    writeFileSync(join(folder, 'copied.json.gz'), (await Body?.transformToByteArray()) ?? new Uint8Array());
    const shown = await meridian('temporal', 'workflow', 'show', '--workflow-id', cycleWorkflowId(spec.name, nightEnd(1)), '--output', 'json');
    writeFileSync(join(folder, 'shown.json'), shown.stdout);
    const copy = plant({ edits: [{ file: 'workflows/stages.ts', find: 'const snapshots = await wait.awaitSnapshots({ cycle, spec, versions });', replace: 'await data.vacuumCandidates({ cycle, spec, versions });\n  const snapshots = await wait.awaitSnapshots({ versions, cycle, spec });' }] });
    try {
      const good = await meridian('replay', '--histories', folder);
      const bad = await startMeridian(['replay', '--histories', folder], env, copy).finished;

      expect([good.code, good.stdout]).toEqual([0, expect.stringMatching(new RegExp(`${readdirSync(folder).length} histories: ${readdirSync(folder).length} replayed, 0 diverged`)) as string]);
      expect(bad.code).toBe(1);
      expect(bad.stdout).toMatch(/✘ etl\/.*: event \d+ \(ACTIVITY_TASK_SCHEDULED of awaitSnapshots\): .*vacuumCandidates/);
      expect(bad.stdout).toMatch(/ 1 replayed, 3 diverged/);
    } finally {
      uproot(copy);
    }
  },
  LIMIT_MS,
);

test(
  'every command of docs/upgrading.md works as pasted, in the order of the page, and its CI job runs what was typed before (X7, I8)',
  async () => {
    const { typed, ci } = pageCommands('docs/upgrading.md');
    await lab.workers.stop();
    const shell = new PageShell(env, home);
    const failures: unknown[] = [];
    try {
      for (const line of typed) {
        const real = line
          .replaceAll('mobile-geolocation-2018-08-02T00:00:00Z', `${spec.name}-${nightEnd(1)}`)
          .replaceAll('--pipeline mobile-geolocation', `--pipeline ${spec.name}`)
          .replaceAll('.meridian/histories', join(home, 'pasted'));
        const { code, said } = await shell.type(real);
        if (code !== 0) failures.push({ line, code, said });
      }
    } finally {
      await shell.close();
    }

    expect(failures).toEqual([]);
    expect(typed).toEqual(expect.arrayContaining(ci.filter((line) => line !== 'npm ci')));
    expect(typed.length).toBeGreaterThan(15);
  },
  LIMIT_MS,
);

test.each([
  [['replay'], /Say which histories/],
  [['replay', '--histories', 'nowhere'], /There is no folder nowhere/],
  [['replay', '--archive', '--since', '2026-02-30'], /--since: expected a day/],
  [['replay', '--namespace', '--limit', 'all'], /--limit: expected a whole number/],
] as const)('%j is wrong usage and says so', async (args, message) => {
  const { code, stderr } = await meridian(...args);

  expect([code, stderr]).toEqual([2, expect.stringMatching(message) as string]);
});
