/** What workers report of their task queue, and what their number follows. One dimension: each further one would be a metric of its own to pay. */
export const QUEUE_METRIC = { namespace: 'Meridian', name: 'TaskQueueBacklog', dimension: 'TaskQueue' } as const;

/** The task queue of a deployment that names no other. */
export const DEFAULT_TASK_QUEUE = 'meridian';
