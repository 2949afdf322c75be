/**
 * Records one history for each outcome into test/replay/histories: `npm run record-histories [-- <outcome>]`.
 * A changed order of commands needs `patched` and a *new* history beside the old one (docs/ARCHITECTURE.md), so this never
 * overwrites a file: name what is new.
 */
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { cycleWorkflowId } from '../../domain/cycle';
import { startTestEnvironment } from '../support/temporal';
import { withWorker } from '../support/worker';
import { fakeActivities } from '../workflows/fake-activities';
import { RECORDED_OUTCOMES } from './outcomes';

const INTERVAL_END = '2018-08-02T00:00:00Z';
/** Stack traces name the checkout: that is nobody's business. */
const ROOT = join(__dirname, '..', '..');
const HISTORIES = join(__dirname, 'histories');

async function record(): Promise<void> {
  const environment = await startTestEnvironment();
  try {
    for (const [outcome, overrides] of Object.entries(RECORDED_OUTCOMES)) {
      const file = join(HISTORIES, `${outcome}.json`);
      if (await access(file).then(() => true, () => false)) continue;
      const { activities, calls } = fakeActivities(overrides);
      const history = await withWorker(environment, activities, async (taskQueue) => {
        const handle = await environment.client.workflow.start('etlCycle', {
          workflowId: cycleWorkflowId('mobile-geolocation', INTERVAL_END),
          taskQueue,
          args: [{ pipeline: 'mobile-geolocation', intervalEnd: INTERVAL_END }],
        });
        if (outcome === 'cancelled') {
          while (!calls.some((call) => call.name === 'awaitSparkJob')) await new Promise((resolve) => setTimeout(resolve, 20));
          await handle.cancel();
        }
        await handle.result().catch(() => undefined);
        return handle.fetchHistory();
      });
      await writeFile(file, `${historyToJSON(history).replaceAll(`${ROOT}/`, '')}\n`);
      process.stderr.write(`recorded ${file}\n`);
    }
  } finally {
    await environment.teardown();
  }
}

if (require.main === module) void record();
