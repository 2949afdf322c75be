import { type DataInterval, toRfc3339 } from '../../domain/data-interval';
import type { PipelineSpec } from '../../domain/pipeline-spec';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

type ArrivalSpec = Pick<PipelineSpec, 'raw' | 'dedup'>;

/** Days, `YYYY-MM-DD`, in which objects arrived that a cycle may take: its interval, and the declared lateness before it. */
export function arrivalDays(spec: ArrivalSpec, interval: DataInterval): readonly string[] {
  const days: string[] = [];
  for (let dayMs = Math.floor(firstArrivalMs(spec, interval) / DAY_MS) * DAY_MS; dayMs < Date.parse(interval.end); dayMs += DAY_MS) {
    days.push(new Date(dayMs).toISOString().slice(0, 10));
  }
  return days;
}

/** `mobile-geolocation/2018/08/01/`: where Firehose puts what arrives on that day, below it an hour each. */
export function dayPrefix(spec: ArrivalSpec, day: string): string {
  return `${spec.raw.prefix}${day.replaceAll('-', '/')}/`;
}

/** The arrival hour, RFC 3339, that a prefix below a day's stands for, if a cycle may take what arrived in it. */
export function arrivalHourOf(spec: ArrivalSpec, interval: DataInterval, day: string, prefix: string): string | undefined {
  const hour = /^([01]\d|2[0-3])\/$/.exec(prefix.slice(dayPrefix(spec, day).length))?.[1];
  if (hour === undefined) return undefined;
  const arrivalMs = Date.parse(`${day}T${hour}:00:00Z`);
  const taken = arrivalMs >= firstArrivalMs(spec, interval) && arrivalMs < Date.parse(interval.end);
  return taken ? toRfc3339(new Date(arrivalMs)) : undefined;
}

/** Event times that a record may have by its object's arrival hour, `[from, to)` in epoch milliseconds. */
export function eventWindowMs(spec: PipelineSpec, arrivalHour: string): { readonly from: number; readonly to: number } {
  const hourMs = Date.parse(arrivalHour);
  return {
    from: hourMs - spec.dedup.latenessDays * DAY_MS,
    to: hourMs + HOUR_MS + spec.dedup.futureToleranceMinutes * 60_000,
  };
}

/** The hour that an interval begins in is its own too: what arrived in it after the last cycle had looked is in no later hour. */
function firstArrivalMs(spec: ArrivalSpec, interval: DataInterval): number {
  const startMs = Date.parse(interval.start) - spec.dedup.latenessDays * DAY_MS;
  return Math.floor(startMs / HOUR_MS) * HOUR_MS;
}
