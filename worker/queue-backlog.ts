import { setTimeout as sleep } from 'node:timers/promises';
import { type CloudWatchClient, PutMetricDataCommand } from '@aws-sdk/client-cloudwatch';
import type { ConnectionLike } from '@temporalio/client';
import { temporal } from '@temporalio/proto';
import type { Logger } from '@temporalio/worker';
import { QUEUE_METRIC } from '../domain/queue-metric';

/** Temporal is asked for this long at most; the next time comes soon. */
const ANSWER_MS = 10_000;
const { TASK_QUEUE_TYPE_WORKFLOW, TASK_QUEUE_TYPE_ACTIVITY } = temporal.api.enums.v1.TaskQueueType;

/** What a backlog is read from and reported to. */
export interface QueueBacklogDeps {
  readonly connection: ConnectionLike;
  readonly cloudwatch: CloudWatchClient;
  readonly namespace: string;
  readonly taskQueue: string;
}

/** How many tasks of the worker's queue wait for a poller: what the number of workers follows on AWS (S1.9). */
export class QueueBacklog {
  constructor(private readonly deps: QueueBacklogDeps) {}

  /** Workflow and activity tasks that wait, as Temporal counts them: about so many. */
  async read(): Promise<number> {
    const { connection, namespace, taskQueue } = this.deps;
    const counts = await Promise.all(
      [TASK_QUEUE_TYPE_WORKFLOW, TASK_QUEUE_TYPE_ACTIVITY].map(async (taskQueueType) => {
        const { stats } = await connection.withDeadline(Date.now() + ANSWER_MS, () =>
          connection.workflowService.describeTaskQueue({
            namespace,
            taskQueue: { name: taskQueue },
            taskQueueType,
            reportStats: true,
          }),
        );
        return Number(stats?.approximateBacklogCount ?? 0);
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Reports it to CloudWatch; workers that report at once report the same, so that their maximum is the backlog. */
  async report(signal: AbortSignal): Promise<number> {
    const waiting = await this.read();
    await this.deps.cloudwatch.send(
      new PutMetricDataCommand({
        Namespace: QUEUE_METRIC.namespace,
        MetricData: [
          {
            MetricName: QUEUE_METRIC.name,
            Value: waiting,
            Unit: 'Count',
            Dimensions: [{ Name: QUEUE_METRIC.dimension, Value: this.deps.taskQueue }],
          },
        ],
      }),
      { abortSignal: signal },
    );
    return waiting;
  }
}

/** Reports beside the worker's own work, until `signal`. Nothing of a cycle depends on it: what fails is told once, and tried again. */
export async function keepReporting(
  backlog: Pick<QueueBacklog, 'report'>,
  everyMs: number,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  let failing = false;
  while (!signal.aborted) {
    try {
      await backlog.report(signal);
      if (failing) log.info('The backlog of the task queue is reported again');
      failing = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!failing)
        log.warn('The backlog of the task queue could not be reported: the number of workers stays as it is', {
          error,
        });
      failing = true;
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
}
