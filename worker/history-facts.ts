import type { History } from '@temporalio/common/lib/proto-utils';
import { temporal } from '@temporalio/proto';
import type { SEARCH_ATTRIBUTES } from '../domain/search-attribute-names';

/** What a history says of the execution that made it; nothing of it is encrypted. */
export interface HistoryFacts {
  readonly workflowId: string;
  readonly runId: string;
  readonly workflowType: string;
  /** Absent before the cycle named it, and for workflows that have none. */
  readonly pipeline?: string;
  /** The builds of the workers that decided it, in the order in which they came. */
  readonly builds: readonly string[];
  /** A cycle's own outcome; else how the execution closed, such as `terminated`; `running` while it is open. */
  readonly outcome: string;
  /** RFC 3339; absent while it is open. */
  readonly closedAt?: string;
  readonly events: number;
  /** No worker decided anything yet: there is nothing to replay. */
  readonly untouched: boolean;
}

const { EventType } = temporal.api.enums.v1;
type Event = temporal.api.history.v1.IHistoryEvent;

const CLOSED: Readonly<Partial<Record<temporal.api.enums.v1.EventType, string>>> = {
  [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED]: 'completed',
  [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED]: 'failed',
  [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED]: 'cancelled',
  [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED]: 'terminated',
  [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT]: 'timed out',
  [EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW]: 'continued as new',
};

/**
 * Reads them from the events.
 * @throws Error for what is no history of a workflow from its first event on: it cannot be replayed
 */
export function historyFacts({ events }: History): HistoryFacts {
  const started = events?.[0]?.workflowExecutionStartedEventAttributes;
  const { workflowId, originalExecutionRunId: runId } = started ?? {};
  const workflowType = started?.workflowType?.name;
  if (!events || !workflowId || !runId || !workflowType) {
    throw new Error('expected a workflow\'s history from its first event on, WorkflowExecutionStarted with type, workflow id and run id');
  }
  const pipeline = latestText(events, 'MeridianPipeline');
  const last = events[events.length - 1];
  const closed = last?.eventType == null ? undefined : CLOSED[last.eventType];
  // Terminated and timed out say more than what the cycle meant to come to.
  const ended = closed === 'completed' || closed === 'failed' || closed === 'cancelled' ? (latestText(events, 'MeridianOutcome') ?? closed) : closed;
  const closedAt = closed === undefined ? undefined : instant(last?.eventTime);
  const builds = new Set(events.map(buildOf).filter((build) => build !== undefined));
  return {
    workflowId,
    runId,
    workflowType,
    ...(pipeline === undefined ? {} : { pipeline }),
    builds: [...builds],
    outcome: ended ?? 'running',
    ...(closedAt === undefined ? {} : { closedAt }),
    events: events.length,
    untouched: !events.some((event) => event.eventType === EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED),
  };
}

/** `40 (ACTIVITY_TASK_SCHEDULED of voidCycle)` */
export function eventName(event: Event): string {
  const type = (EventType[event.eventType ?? 0] ?? '').replace('EVENT_TYPE_', '');
  const what =
    event.activityTaskScheduledEventAttributes?.activityType?.name ??
    event.startChildWorkflowExecutionInitiatedEventAttributes?.workflowType?.name ??
    localActivityOf(event) ??
    event.markerRecordedEventAttributes?.markerName;
  return `${String(event.eventId ?? '?')} (${type}${what == null ? '' : ` of ${what}`})`;
}

/** The activity that ran within the workflow's task; the SDK writes its name beside the result, and never encrypts it. */
function localActivityOf({ markerRecordedEventAttributes: marker }: Event): string | undefined {
  if (marker?.markerName !== 'core_local_activity') return undefined;
  const data = marker.details?.['data']?.payloads?.[0]?.data;
  const said: unknown = data == null ? undefined : JSON.parse(Buffer.from(data).toString('utf8'));
  return typeof said === 'object' && said !== null && 'activity_type' in said ? String(said.activity_type) : undefined;
}

/** A versioned worker's build, else the one that the SDK derives from the bundle of its workflows. */
function buildOf({ workflowTaskCompletedEventAttributes: completed }: Event): string | undefined {
  return completed?.deploymentVersion?.buildId || completed?.workerVersion?.buildId || undefined;
}

/** Search attributes are never encrypted: Temporal itself must read them. */
function latestText(events: readonly Event[], attribute: keyof typeof SEARCH_ATTRIBUTES): string | undefined {
  const payloads = events.map((event) => event.upsertWorkflowSearchAttributesEventAttributes?.searchAttributes?.indexedFields?.[attribute]);
  const data = payloads.findLast((payload) => payload?.data != null)?.data;
  if (data == null) return undefined;
  const value: unknown = JSON.parse(Buffer.from(data).toString('utf8'));
  return typeof value === 'string' ? value : undefined;
}

function instant(time: Event['eventTime']): string | undefined {
  return time?.seconds == null ? undefined : new Date(Number(time.seconds) * 1_000 + (time.nanos ?? 0) / 1_000_000).toISOString();
}
