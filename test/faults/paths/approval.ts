import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { DecisionInput } from '../../../domain/decision';
import type { Path } from './path';

const SECOND = 2;
const LIMIT_MS = 60_000;
const APPROVAL: DecisionInput = { decision: 'approve', by: 'ada', reason: 'the sensors were off' };

/** The second night fails its gate and is held; a person approves it, and asks again until the answer is there. */
export const approvalPath: Path = {
  declare: (spec) => ({ ...spec, quality: { ...spec.quality, hold: { deadlineMinutes: 60, atDeadline: 'reject', remindEveryMinutes: 30 } } }),
  async begin({ lab, spec, nights, violations }) {
    await lab.script(spec, SECOND, { check: { added: { outcome: 'fail-rule' } } });
    return {
      start: () => nights.start(SECOND),
      async end(handle, expected) {
        await approved(lab.access.temporal, handle);
        return nights.end(SECOND, expected, violations);
      },
    };
  },
};

/** Until the decision is taken, or the night has ended without one. */
async function approved(client: Client, { workflowId }: WorkflowHandle): Promise<void> {
  for (const deadline = Date.now() + LIMIT_MS; Date.now() < deadline; await sleep(200)) {
    const handle = client.workflow.getHandle(workflowId); // of the newest run: a reset ends one
    try {
      await handle.executeUpdate('decide', { args: [APPROVAL] });
      return;
    } catch {
      // Not held yet, or the server is away.
    }
    const status = await handle.describe().then(
      (description) => description.status.name,
      () => 'RUNNING',
    );
    if (status !== 'RUNNING') return;
  }
}
