/**
 * Records what test/replay/outcomes.ts names and no file of test/replay/histories holds yet: `npm run record-histories`.
 * A changed order of commands needs `patched` and a *new* history beside the old one (docs/ARCHITECTURE.md), so this never
 * overwrites a file: name what is new.
 */
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { startTestEnvironment } from '../support/temporal';
import { withWorker } from '../support/worker';
import { fakeActivities } from '../workflows/fake-activities';
import { type Recording, RECORDED_OUTCOMES } from './outcomes';

/** Stack traces name the checkout: that is nobody's business. */
const ROOT = join(__dirname, '..', '..');
const HISTORIES = join(__dirname, 'histories');

/** Runs one recording to its end; the history is that of its first execution. */
export async function recordHistory(
  environment: TestWorkflowEnvironment,
  { workflow, workflowId, input, activities: overrides, meanwhile }: Recording,
): Promise<string> {
  const { activities, calls } = fakeActivities(overrides);
  const called = async (name: string) => {
    while (!calls.some((call) => call.name === name)) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const { workflow: client } = environment.client;
  const history = await withWorker(environment, activities, async (taskQueue) => {
    const started = await client.start(workflow, { workflowId, taskQueue, args: [input] });
    const first = client.getHandle(workflowId, started.firstExecutionRunId, { followRuns: false });
    await meanwhile?.(started, called);
    await first.result().catch(() => undefined); // a failure, and an execution that continues as new, are shapes like others
    const recorded = await first.fetchHistory();
    await client.getHandle(workflowId).terminate().catch(() => undefined); // what it continued as
    return recorded;
  });
  return `${historyToJSON(history).replaceAll(`${ROOT}/`, '')}\n`;
}

async function recordMissing(): Promise<void> {
  const environment = await startTestEnvironment();
  try {
    for (const [name, recording] of Object.entries(RECORDED_OUTCOMES)) {
      const file = join(HISTORIES, `${name}.json`);
      if (await access(file).then(() => true, () => false)) continue;
      await writeFile(file, await recordHistory(environment, recording));
      process.stderr.write(`recorded ${file}\n`);
    }
  } finally {
    await environment.teardown();
  }
}

if (require.main === module) void recordMissing();
