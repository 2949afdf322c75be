import type { Client } from '@temporalio/client';
import { decodeFromPayloadsAtIndex, decodeOptionalFailureToOptionalError } from '@temporalio/common/lib/internal-non-workflow/codec-helpers';

/** An activity that runs or waits for its next attempt. */
export interface PendingActivity {
  readonly id: string;
  readonly type: string;
  /** Starts at 1. */
  readonly attempt: number;
  /** Why the last attempt failed. */
  readonly lastFailure?: string;
  readonly heartbeat?: { readonly done?: number; readonly total?: number; readonly unit?: string };
}

/**
 * The pending activities of a workflow, decrypted with the client's own keys: the server hands them out as it got them.
 * @throws PayloadRefused where a key is missing
 */
export async function pendingActivities(client: Client, workflowId: string): Promise<readonly PendingActivity[]> {
  const { raw } = await client.workflow.getHandle(workflowId).describe();
  const { loadedDataConverter } = client.options;
  return Promise.all(
    (raw.pendingActivities ?? []).map(async ({ activityId, activityType, attempt, lastFailure, heartbeatDetails }): Promise<PendingActivity> => {
      const failure = await decodeOptionalFailureToOptionalError(loadedDataConverter, lastFailure);
      const heartbeat = await decodeFromPayloadsAtIndex<PendingActivity['heartbeat'] | null>(loadedDataConverter, 0, heartbeatDetails?.payloads);
      const id = activityId ?? '';
      return {
        id,
        type: activityType?.name ?? id,
        attempt: attempt ?? 1,
        ...(failure === undefined ? {} : { lastFailure: failure.message }),
        ...(typeof heartbeat === 'object' && heartbeat !== null ? { heartbeat } : {}),
      };
    }),
  );
}
