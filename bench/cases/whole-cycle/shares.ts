import type { History } from '@temporalio/common/lib/proto-utils';

/** What somebody waited for in a cycle, in seconds. */
export interface CycleShares {
  /** From the workflow's start to its end. */
  readonly seconds: number;
  /** By activity; where two ran at once, both count. */
  readonly byActivity: Readonly<Record<string, number>>;
  /** Nothing ran but Temporal, its worker, and the steps that the worker does within a workflow task. */
  readonly orchestrationSeconds: number;
}

type Span = readonly [fromMs: number, toMs: number];

/** Reads a cycle's history: an activity runs from its start, of the last attempt, to its end. @throws RangeError when the cycle has not ended */
export function cycleShares(history: History): CycleShares {
  const events = history.events ?? [];
  const [first, last] = [events[0], events.at(-1)];
  if (last?.workflowExecutionCompletedEventAttributes == null && last?.workflowExecutionFailedEventAttributes == null) {
    throw new RangeError(`The history of ${events.length} events ends without the cycle's end`);
  }
  const names = new Map(events.flatMap((event) => (event.activityTaskScheduledEventAttributes == null ? [] : [[Number(event.eventId), event.activityTaskScheduledEventAttributes.activityType?.name ?? '']])));
  const started = new Map<number, number>();
  const spans: { readonly name: string; readonly span: Span }[] = [];
  for (const event of events) {
    const begun = event.activityTaskStartedEventAttributes;
    if (begun != null) started.set(Number(begun.scheduledEventId), msOf(event.eventTime));
    const ended = event.activityTaskCompletedEventAttributes ?? event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes ?? event.activityTaskCanceledEventAttributes;
    if (ended == null) continue;
    const scheduled = Number(ended.scheduledEventId);
    const from = started.get(scheduled);
    if (from !== undefined) spans.push({ name: names.get(scheduled) ?? '', span: [from, msOf(event.eventTime)] });
  }
  const seconds = (msOf(last.eventTime) - msOf(first?.eventTime)) / 1_000;
  const byActivity: Record<string, number> = {};
  for (const { name, span: [from, to] } of spans) byActivity[name] = (byActivity[name] ?? 0) + (to - from) / 1_000;
  return { seconds, byActivity, orchestrationSeconds: seconds - covered(spans.map(({ span }) => span)) / 1_000 };
}

/** Milliseconds in which at least one of the spans runs. */
function covered(spans: readonly Span[]): number {
  let [sum, end] = [0, -Infinity];
  for (const [from, to] of [...spans].sort(([a], [b]) => a - b)) {
    sum += Math.max(0, to - Math.max(from, end));
    end = Math.max(end, to);
  }
  return sum;
}

function msOf(time: { readonly seconds?: unknown; readonly nanos?: number | null } | null | undefined): number {
  return Number(time?.seconds ?? 0) * 1_000 + (time?.nanos ?? 0) / 1e6;
}
