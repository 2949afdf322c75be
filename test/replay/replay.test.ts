import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger, Runtime } from '@temporalio/worker';
import { historiesOfFolder } from '../../cli/history-sources';
import { workflowBundle } from '../../worker/bundle';
import { replayHistories, type ReplayVerdict } from '../../worker/replay-histories';
import { BUNDLE_CACHE } from '../support/worker';
import { RECORDED_OUTCOMES } from './outcomes';

const ROOT = join(__dirname, '..', '..');
const HISTORIES = join(__dirname, 'histories');

beforeAll(() => {
  // What is planted here is meant to fail: the core would warn of each.
  Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: 'OFF' } } });
});

/** Replays every recorded history, by the very function that `meridian replay` uses. */
function replayAll(bundle: { readonly code: string } | { readonly codePath: string }): AsyncGenerator<ReplayVerdict> {
  return replayHistories({ workflowBundle: bundle }, historiesOfFolder(HISTORIES));
}

test('there is a recorded history for each outcome of a cycle (X7)', async () => {
  const files = (await readdir(HISTORIES)).map((name) => name.replace(/\.json$/, ''));

  expect(files).toEqual(expect.arrayContaining(Object.keys(RECORDED_OUTCOMES)));
});

test("every recorded history replays against today's code (X7, I8)", async () => {
  const verdicts: ReplayVerdict[] = [];
  for await (const each of replayAll(await workflowBundle(BUNDLE_CACHE))) verdicts.push(each);

  expect(verdicts.length).toBeGreaterThanOrEqual(Object.keys(RECORDED_OUTCOMES).length);
  expect(verdicts.filter((each) => each.verdict !== 'replayed')).toEqual([]);
});

/** Edits that would strand running cycles: each must be caught by at least one history of either shape. */
const INCOMPATIBLE_EDITS = [
  { what: 'vacuum before the snapshot wait', file: 'stages.ts', from: 'await wait.awaitSnapshots({ cycle, spec, versions })', to: 'await (await data.vacuumCandidates({ cycle, spec, versions }), wait.awaitSnapshots({ cycle, spec, versions }))' },
  { what: 'the fence dropped', file: 'stages.ts', from: 'await CancellationScope.nonCancellable(() => short.raiseFence({ dataset: spec.dataset, epoch: turn.epoch }));', to: '' },
  { what: 'a new step before publishing', file: 'stages.ts', from: "await data.markObjects({ cycle, spec, state: 'loaded' });\n    const", to: "await short.openJobs({ cycle });\n    await data.markObjects({ cycle, spec, state: 'loaded' });\n    const" },
  { what: 'the turn released before the cycle is closed', file: 'etl-cycle.ts', from: 'await short.closeCycle(closingOf(report));\n  await short.releaseTurn({ cycle, epoch });', to: 'await short.releaseTurn({ cycle, epoch });\n  await short.closeCycle(closingOf(report));' },
  { what: 'the turn released before the chunks are voided', file: 'settle.ts', from: 'await settleOlderJobs(await short.openJobs({ cycle }));', to: 'await short.releaseTurn({ cycle, epoch }); await settleOlderJobs(await short.openJobs({ cycle }));' },
];

test.each(INCOMPATIBLE_EDITS)('replay catches an incompatible edit: $what', async ({ file, from, to }) => {
  await mkdir(join(ROOT, '.meridian'), { recursive: true });
  const copy = await mkdtemp(join(ROOT, '.meridian', 'replay-')); // inside the project, so that its packages resolve
  try {
    await cp(join(ROOT, 'workflows'), join(copy, 'workflows'), { recursive: true });
    await cp(join(ROOT, 'domain'), join(copy, 'domain'), { recursive: true });
    const source = await readFile(join(copy, 'workflows', file), 'utf8');
    const edited = source.replace(from, to);
    expect(edited).not.toBe(source);
    await writeFile(join(copy, 'workflows', file), edited);
    const bundle = await bundleWorkflowCode({ workflowsPath: join(copy, 'workflows', 'index.ts'), logger: new DefaultLogger('ERROR') });

    const caught = new Map<'before' | 'since', ReplayVerdict>();
    for await (const each of replayAll(bundle)) {
      const shape = each.source.endsWith('-short-steps.json') ? 'since' : 'before';
      if (each.verdict !== 'replayed' && !caught.has(shape)) caught.set(shape, each);
      if (caught.size === 2) break;
    }

    const somewhere = { eventId: expect.any(Number) as number, event: expect.stringMatching(/^\d+ \([A-Z_]+ of \w+/) as string };
    expect(caught.get('before')).toMatchObject({ ...somewhere, verdict: 'diverged' });
    // What a local activity once returned is given to whichever has its number now, and only then are their names compared: the code may trip first.
    expect(caught.get('since')).toMatchObject({ ...somewhere, verdict: expect.stringMatching(/^(diverged|broken)$/) as string });
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
});
