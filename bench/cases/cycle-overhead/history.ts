import type { History } from '@temporalio/common/lib/proto-utils';
import { temporal } from '@temporalio/proto';

const { EventType } = temporal.api.enums.v1;

/** What Temporal Cloud counts as actions of an execution, as far as its history shows: retries and heartbeats beyond it are none here. */
const ACTIONS: readonly temporal.api.enums.v1.EventType[] = [
  EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
  EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
  EventType.EVENT_TYPE_TIMER_STARTED,
  EventType.EVENT_TYPE_MARKER_RECORDED,
  EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
];

export interface HistorySize {
  readonly events: number;
  readonly actions: number;
  readonly activities: number;
  readonly workflowTasks: number;
}

/** Counts what a cycle leaves in Temporal. */
export function historySize({ events }: History): HistorySize {
  const types = (events ?? []).map(({ eventType }) => eventType ?? EventType.EVENT_TYPE_UNSPECIFIED);
  const count = (wanted: readonly temporal.api.enums.v1.EventType[]) => types.filter((type) => wanted.includes(type)).length;
  return {
    events: types.length,
    actions: count(ACTIONS),
    activities: count([EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]),
    workflowTasks: count([EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]),
  };
}
