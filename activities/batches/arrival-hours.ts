import type { DataInterval } from '../../domain/data-interval';
import { toRfc3339 } from '../../domain/data-interval';
import type { PipelineSpec } from '../../domain/pipeline-spec';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** Arrival hours, RFC 3339, whose objects a cycle may take: those of `[start, end)` and of the declared lateness before it. */
export function arrivalHours(spec: PipelineSpec, interval: DataInterval): readonly string[] {
  const firstMs = Date.parse(interval.start) - spec.dedup.latenessDays * DAY_MS;
  const hours: string[] = [];
  for (let hourMs = Math.floor(firstMs / HOUR_MS) * HOUR_MS; hourMs < Date.parse(interval.end); hourMs += HOUR_MS) {
    hours.push(toRfc3339(new Date(hourMs)));
  }
  return hours;
}

/** `mobile-geolocation/2018/08/01/13/`: where Firehose puts what arrives in that hour. */
export function arrivalPrefix(spec: PipelineSpec, arrivalHour: string): string {
  return `${spec.raw.prefix}${arrivalHour.slice(0, 13).replace(/[-T]/g, '/')}/`;
}

/** Event times that a record may have by its object's arrival hour, `[from, to)` in epoch milliseconds. */
export function eventWindowMs(spec: PipelineSpec, arrivalHour: string): { readonly from: number; readonly to: number } {
  const hourMs = Date.parse(arrivalHour);
  return {
    from: hourMs - spec.dedup.latenessDays * DAY_MS,
    to: hourMs + HOUR_MS + spec.dedup.futureToleranceMinutes * 60_000,
  };
}
