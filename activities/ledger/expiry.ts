import type { PipelineSpec } from '../../domain/pipeline-spec';

const DAY_S = 86_400;

/** Before this nothing of an event date can have been deleted, epoch seconds: the end of event date + lateness + margin. */
export function expiresAtSeconds(spec: PipelineSpec, eventDate: string): number {
  return Date.parse(`${eventDate}T00:00:00Z`) / 1000 + (spec.dedup.latenessDays + spec.dedup.marginDays + 1) * DAY_S;
}

/** What DynamoDB deletes by, epoch seconds: never sooner than a whole window after the write, however old the event date. */
export function ttlSeconds(spec: PipelineSpec, eventDate: string, nowMs: number): number {
  const windowS = (spec.dedup.latenessDays + spec.dedup.marginDays) * DAY_S;
  return Math.max(expiresAtSeconds(spec, eventDate), Math.ceil(nowMs / 1000) + windowS);
}

/** Segments outlive the log entries that name them, so that an entry is never seen without its segments. */
export function segmentTtlSeconds(spec: PipelineSpec, eventDate: string, nowMs: number): number {
  return ttlSeconds(spec, eventDate, nowMs) + DAY_S;
}
