import { randomUUID } from 'node:crypto';
import type { Client, WorkflowHandle } from '@temporalio/client';

/** As `temporal workflow reset --type LastWorkflowTask`: the run ends, and another goes on from its last completed task. */
export async function resetToLastTask(client: Client, handle: WorkflowHandle): Promise<void> {
  const { events } = await handle.fetchHistory();
  const last = (events ?? []).filter((event) => event.workflowTaskCompletedEventAttributes != null).at(-1);
  const { runId } = await handle.describe();
  await client.workflowService.resetWorkflowExecution({
    namespace: 'default',
    workflowExecution: { workflowId: handle.workflowId, runId },
    reason: 'by the fault harness',
    requestId: randomUUID(),
    workflowTaskFinishEventId: last?.eventId ?? null,
  });
}
