import { askUntil } from './ask-until';

export interface InboxDependencies {
  /** How the newest execution of a cycle ended: its outcome, else its status in lower case; undefined while it runs. */
  readonly endOfCycle: (workflowId: string) => Promise<string | undefined>;
}

/** Activities of an inbox about the cycles that it starts. */
export function createInboxActivities({ endOfCycle }: InboxDependencies) {
  return {
    /** Waits until no execution of the cycle runs, heartbeating. Idempotent: reads only. */
    async awaitCycle({ workflowId }: { readonly workflowId: string }): Promise<{ readonly outcome: string }> {
      return askUntil(async () => {
        const outcome = await endOfCycle(workflowId);
        return outcome === undefined ? undefined : { outcome };
      }, { workflowId });
    },
  };
}
export type InboxActivities = ReturnType<typeof createInboxActivities>;
