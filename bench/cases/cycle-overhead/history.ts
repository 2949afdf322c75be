import type { History } from '@temporalio/common/lib/proto-utils';
import { temporal } from '@temporalio/proto';

const { EventType } = temporal.api.enums.v1;

/** What Temporal Cloud bills of an execution one by one, as far as its history shows: retries and heartbeats beyond it are none here. */
const ACTIONS: readonly temporal.api.enums.v1.EventType[] = [
  EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
  EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
  EventType.EVENT_TYPE_TIMER_STARTED,
  EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
];

export interface HistorySize {
  readonly events: number;
  readonly actions: number;
  readonly activities: number;
  readonly workflowTasks: number;
}

/** Counts what a cycle leaves in Temporal. @see Temporal Cloud, "Actions": the local activities of one workflow task are one, patches none */
export function historySize({ events }: History): HistorySize {
  const all = events ?? [];
  const count = (...wanted: readonly temporal.api.enums.v1.EventType[]) => all.filter(({ eventType }) => wanted.includes(eventType ?? EventType.EVENT_TYPE_UNSPECIFIED)).length;
  const tasksWithLocal = new Set(
    all.flatMap(({ markerRecordedEventAttributes: marker }) => (marker?.markerName === 'core_local_activity' ? [String(marker.workflowTaskCompletedEventId)] : [])),
  );
  const patches = all.filter((event) => event.upsertWorkflowSearchAttributesEventAttributes?.searchAttributes?.indexedFields?.['TemporalChangeVersion'] != null);
  return {
    events: all.length,
    actions: count(...ACTIONS) - patches.length + tasksWithLocal.size,
    activities: count(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED),
    workflowTasks: count(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED),
  };
}
