import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { NamedCycle } from './cycle-argument';
import type { Output } from './output';

const CONFIRM_POLL_MS = 500;
const CONFIRM_LIMIT_MS = 15 * 60_000; // a job may take its time to end; its confirmation is part of the cancellation

/**
 * Cancels a running cycle, and waits for its end. A promotion that was committed by then stands.
 * @returns how the execution ended, as Temporal calls it
 * @throws Error when the cycle does not run, or does not end in time
 */
export async function cancelCycle(client: Client, { pipeline, intervalEnd, workflowId }: NamedCycle, output: Output): Promise<string> {
  const handle = client.workflow.getHandle(workflowId);
  const show = `\`meridian cycles show ${pipeline} ${intervalEnd}\``;
  const status = async () => {
    try {
      return (await handle.describe()).status.name;
    } catch (error) {
      if (!(error instanceof WorkflowNotFoundError)) throw error;
      throw new Error(`Nothing was cancelled: Temporal knows no execution of the cycle ${workflowId}. \`meridian cycles list --pipeline ${pipeline}\` lists those on record`);
    }
  };
  const before = await status();
  if (before !== 'RUNNING') throw new Error(`Nothing was cancelled: the cycle ${workflowId} has ended (${before.toLowerCase()}), see ${show}`);
  await handle.cancel();
  output.note(`Cancellation of ${workflowId} requested; waiting for its jobs to end`);
  for (const deadline = Date.now() + CONFIRM_LIMIT_MS; ; ) {
    const now = await status();
    if (now !== 'RUNNING') return now;
    if (Date.now() > deadline) throw new Error(`The cycle ${workflowId} still runs ${CONFIRM_LIMIT_MS / 60_000} minutes after its cancellation: ${show} says what it waits for`);
    await new Promise((resolve) => setTimeout(resolve, CONFIRM_POLL_MS));
  }
}
