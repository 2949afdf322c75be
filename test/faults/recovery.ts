import type { temporal } from '@temporalio/proto';
import type { WorkflowHandle } from '@temporalio/client';

type Event = temporal.api.history.v1.IHistoryEvent;

/**
 * How long nobody worked at a night after its worker was lost, from the night's history: until the step in flight had started
 * elsewhere, or, between steps, until another worker had taken the next workflow task.
 * @returns milliseconds; undefined when the night had ended by then
 */
export async function recoveryMs(handle: WorkflowHandle, lostAtMs: number): Promise<number | undefined> {
  const events = (await handle.fetchHistory()).events ?? [];
  const byId = new Map(events.map((event) => [Number(event.eventId), event]));
  const restarted = events.flatMap((event) => {
    const started = event.activityTaskStartedEventAttributes;
    const scheduled = started == null ? undefined : byId.get(Number(started.scheduledEventId));
    // A started event stands in the history once its attempt has ended, with the time of the last attempt's start.
    return scheduled !== undefined && timeOf(scheduled) <= lostAtMs && timeOf(event) > lostAtMs ? [timeOf(event)] : [];
  });
  const resumed = restarted.length > 0 ? Math.max(...restarted) : events.filter((event) => event.workflowTaskStartedEventAttributes != null).map(timeOf).find((time) => time > lostAtMs);
  return resumed === undefined ? undefined : resumed - lostAtMs;
}

function timeOf({ eventTime }: Event): number {
  return Number(eventTime?.seconds ?? 0) * 1_000 + (eventTime?.nanos ?? 0) / 1_000_000;
}
