import { gzipSync } from 'node:zlib';
import { ListObjectsV2Command, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { historyFacts } from './history-facts';
import { type ListedExecution, listExecutions } from './list-executions';

/** Where the histories of ended executions are kept, for later replays. */
export const HISTORY_PREFIX = 'archive/histories/';

const NEVER = new AbortController().signal;

export interface HistoryArchiveDeps {
  readonly s3: S3Client;
  readonly client: Client;
  readonly bucket: string;
  /** Executions of other task queues are none of ours. */
  readonly taskQueue: string;
}

/** What one sweep came to. */
export interface SweepResult {
  readonly archived: number;
  /** In the archive already. */
  readonly known: number;
  /** Past the namespace's retention before anybody archived them. */
  readonly lost: number;
  /** With what went wrong; the next sweep tries them again. */
  readonly failed: readonly { readonly workflowId: string; readonly runId: string; readonly message: string }[];
}

/**
 * Copies the history of each ended execution into the archive: of cycles and of every other workflow, also of those that were
 * terminated and could not do so themselves. Payloads stay as they are, encrypted where they are.
 */
export class HistoryArchive {
  /** Keys of the last sweep: what closed a minute ago is looked at by several. */
  private known = new Set<string>();

  constructor(private readonly deps: HistoryArchiveDeps) {}

  /**
   * Archives what closed since then and is not archived. Idempotent by workflow and run id: the first copy written is the copy.
   * @param since - absent: all that the namespace still has
   * @param signal - ends it where it is
   * @throws what Temporal or S3 answers to a listing
   */
  async sweep(since?: Date, signal: AbortSignal = NEVER): Promise<SweepResult> {
    return this.deps.client.withAbortSignal(signal, () => this.sweepUntil(since, signal));
  }

  private async sweepUntil(since: Date | undefined, signal: AbortSignal): Promise<SweepResult> {
    const { client, taskQueue } = this.deps;
    // What is open has no close time: with a bound, however early, only closed ones are listed.
    const query = `TaskQueue = '${taskQueue}' AND CloseTime >= '${(since ?? new Date(0)).toISOString()}'`;
    const listed = new Map<string, Promise<readonly string[]>>();
    const seen = new Set<string>();
    let archived = 0;
    let known = 0;
    let lost = 0;
    const failed: SweepResult['failed'][number][] = [];
    for await (const execution of listExecutions(client, query)) {
      signal.throwIfAborted();
      const { workflowId, runId } = execution;
      try {
        const folder = folderOf(execution);
        const key = `${folder}${encodeURIComponent(workflowId)}-${runId}.json.gz`;
        if (!this.known.has(key)) {
          const inFolder = listed.get(folder) ?? this.list(folder, signal);
          listed.set(folder, inFolder);
          if ((await inFolder).includes(key)) known += 1;
          else if (await this.copy(key, workflowId, runId, signal)) archived += 1;
          else lost += 1;
        } else known += 1;
        seen.add(key);
      } catch (error) {
        listed.clear(); // a listing that failed is asked for again
        failed.push({ workflowId, runId, message: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
      }
    }
    this.known = seen;
    return { archived, known, lost, failed };
  }

  /** @returns false for a history that the namespace no longer has */
  private async copy(key: string, workflowId: string, runId: string, signal: AbortSignal): Promise<boolean> {
    const { s3, client, bucket } = this.deps;
    try {
      const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
      const { workflowType, outcome, builds, closedAt = '' } = historyFacts(history);
      const metadata = { 'workflow-type': workflowType, 'workflow-id': workflowId, 'run-id': runId, outcome, builds: builds.join(' '), 'closed-at': closedAt };
      await s3.send(
        new PutObjectCommand({
          Bucket: bucket,
          Key: key,
          Body: gzipSync(historyToJSON(history)),
          ContentType: 'application/gzip',
          // S3 takes ASCII only, and 2 KB of it.
          Metadata: Object.fromEntries(Object.entries({ ...metadata, namespace: client.options.namespace }).map(([name, value]) => [name, encodeURI(value).slice(0, 250)])),
          IfNoneMatch: '*',
        }),
        { abortSignal: signal },
      );
      return true;
    } catch (error) {
      if (error instanceof WorkflowNotFoundError) return false;
      // Another worker was first: its copy is the same.
      if (error instanceof Error && error.name === 'PreconditionFailed') return true;
      throw error;
    }
  }

  private async list(folder: string, signal: AbortSignal): Promise<readonly string[]> {
    const keys: string[] = [];
    let token: string | undefined;
    do {
      const page = await this.deps.s3.send(
        new ListObjectsV2Command({ Bucket: this.deps.bucket, Prefix: folder, ...(token === undefined ? {} : { ContinuationToken: token }) }),
        { abortSignal: signal },
      );
      keys.push(...(page.Contents ?? []).flatMap(({ Key }) => (Key === undefined ? [] : [Key])));
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return keys;
  }
}

/** `archive/histories/<pipeline, else workflow type>/<day of its close>/` */
function folderOf({ pipeline, workflowType, closedAt = new Date(0) }: ListedExecution): string {
  return `${HISTORY_PREFIX}${encodeURIComponent(pipeline ?? workflowType)}/${closedAt.toISOString().slice(0, 10)}/`;
}
