import { Context } from '@temporalio/activity';

export interface InboxDependencies {
  /** How the newest execution of a cycle ended: its outcome, else its status in lower case; undefined while it runs. */
  readonly endOfCycle: (workflowId: string) => Promise<string | undefined>;
}

const FIRST_POLL_MS = 200;
const SLOWEST_POLL_MS = 5_000; // an inbox does not mind; well inside the heartbeat timeout

/** Activities of an inbox about the cycles that it starts. */
export function createInboxActivities({ endOfCycle }: InboxDependencies) {
  return {
    /** Waits until no execution of the cycle runs, heartbeating. Idempotent: reads only. */
    async awaitCycle({ workflowId }: { readonly workflowId: string }): Promise<{ readonly outcome: string }> {
      const context = Context.current();
      for (let waitMs = FIRST_POLL_MS; ; waitMs = Math.min(waitMs * 1.5, SLOWEST_POLL_MS)) {
        const outcome = await endOfCycle(workflowId);
        if (outcome !== undefined) return { outcome };
        context.heartbeat({ workflowId });
        await context.sleep(waitMs);
      }
    },
  };
}
export type InboxActivities = ReturnType<typeof createInboxActivities>;
