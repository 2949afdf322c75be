import type { Client } from '@temporalio/client';
import type { SEARCH_ATTRIBUTES } from '../domain/search-attribute-names';

/** An execution as a list shows it, without anything that may be encrypted. */
export interface ListedExecution {
  readonly workflowId: string;
  readonly runId: string;
  readonly workflowType: string;
  /** Absent while it is open. */
  readonly closedAt?: Date;
  /** Absent for workflows that have none. */
  readonly pipeline?: string;
}

const PIPELINE: keyof typeof SEARCH_ATTRIBUTES = 'MeridianPipeline';

/**
 * Executions that a filter selects, the newest first. The client's own list decodes their memos: one that was encrypted with a key
 * that is gone would hide all the others.
 */
export async function* listExecutions({ workflowService, options: { namespace } }: Client, query: string): AsyncGenerator<ListedExecution> {
  let nextPageToken: Uint8Array | null | undefined;
  do {
    const page = await workflowService.listWorkflowExecutions({ namespace, query, ...(nextPageToken == null ? {} : { nextPageToken }) });
    for (const { execution, type, closeTime, searchAttributes } of page.executions) {
      const pipeline = searchAttributes?.indexedFields?.[PIPELINE]?.data;
      yield {
        workflowId: execution?.workflowId ?? '',
        runId: execution?.runId ?? '',
        workflowType: type?.name ?? '',
        ...(closeTime?.seconds == null ? {} : { closedAt: new Date(Number(closeTime.seconds) * 1_000) }),
        ...(pipeline == null ? {} : { pipeline: String(JSON.parse(Buffer.from(pipeline).toString('utf8'))) }),
      };
    }
    ({ nextPageToken } = page);
  } while (nextPageToken != null && nextPageToken.length > 0);
}
