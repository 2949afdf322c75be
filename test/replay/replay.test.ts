import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DeterminismViolationError } from '@temporalio/workflow';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { workflowBundle } from '../../worker/bundle';
import { BUNDLE_CACHE } from '../support/worker';
import { RECORDED_OUTCOMES } from './outcomes';

const ROOT = join(__dirname, '..', '..');
const HISTORIES = join(__dirname, 'histories');

beforeAll(() => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
});

interface RecordedHistory {
  readonly events: readonly [{ readonly workflowExecutionStartedEventAttributes: { readonly workflowId: string } }];
}

async function recorded(): Promise<ReadonlyMap<string, RecordedHistory>> {
  const files = (await readdir(HISTORIES)).filter((name) => name.endsWith('.json'));
  const histories = await Promise.all(
    files.map(async (name) => [name.replace(/\.json$/, ''), JSON.parse(await readFile(join(HISTORIES, name), 'utf8')) as RecordedHistory] as const),
  );
  return new Map(histories);
}

/** A cycle goes by its own workflow id, which a history keeps in its first event. */
async function replay(workflowBundle: { readonly code: string } | { readonly codePath: string }, history: RecordedHistory): Promise<void> {
  await Worker.runReplayHistory({ workflowBundle }, history, history.events[0].workflowExecutionStartedEventAttributes.workflowId);
}

test('there is a recorded history for each outcome of a cycle (X7)', async () => {
  expect([...(await recorded()).keys()]).toEqual(expect.arrayContaining(Object.keys(RECORDED_OUTCOMES)));
});

test("every recorded history replays against today's code (X7, I8)", async () => {
  const bundle = await workflowBundle(BUNDLE_CACHE);
  const failures: string[] = [];
  for (const [name, history] of await recorded()) {
    await replay(bundle, history).catch((error: unknown) => {
      failures.push(`${name}: ${String(error)}`);
    });
  }

  expect(failures).toEqual([]);
});

/** Edits that would strand running cycles: each must be caught by at least one history. */
const INCOMPATIBLE_EDITS = [
  { what: 'vacuum before the snapshot wait', file: 'stages.ts', from: 'await wait.awaitSnapshots({ cycle, spec, versions })', to: 'await (await data.vacuumCandidates({ cycle, spec, versions }), wait.awaitSnapshots({ cycle, spec, versions }))' },
  { what: 'the fence dropped', file: 'stages.ts', from: 'await CancellationScope.nonCancellable(() => short.raiseFence({ dataset: spec.dataset, epoch: turn.epoch }));', to: '' },
  { what: 'a new step before publishing', file: 'stages.ts', from: "await data.markObjects({ cycle, spec, state: 'loaded' });\n    const", to: "await short.openJobs({ cycle });\n    await data.markObjects({ cycle, spec, state: 'loaded' });\n    const" },
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

    const caught: string[] = [];
    for (const [name, history] of await recorded()) {
      await replay(bundle, history).catch((error: unknown) => {
        expect(error).toBeInstanceOf(DeterminismViolationError);
        caught.push(name);
      });
    }

    expect(caught).not.toEqual([]);
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
});
