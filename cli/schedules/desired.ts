import type { ScheduleOptions, ScheduleOptionsAction, ScheduleSpec as TemporalScheduleSpec } from '@temporalio/client';
import { scheduleId } from '../../domain/cycle';
import { cycleDetails } from '../../domain/cycle-details';
import type { PipelineSpec, ScheduleOverlap, ScheduleSpec } from '../../domain/pipeline-spec';

/** A pipeline that declares when it runs. */
export type ScheduledPipeline = PipelineSpec & { readonly schedule: ScheduleSpec };

/** On a Schedule's memo: Meridian made it, so Meridian may change and remove it. */
export const OWNED_MEMO = { meridian: 'schedule' } as const;

export const OVERLAP_POLICY = { skip: 'SKIP', 'buffer-one': 'BUFFER_ONE', 'buffer-all': 'BUFFER_ALL' } as const satisfies Record<ScheduleOverlap, string>;

/**
 * The Temporal Schedule of a declaration. Its id is the base of the ids of what it starts: a tick's execution is the cycle's own, and a run
 * by hand of the same interval excludes it.
 */
export function scheduleOptions(spec: ScheduledPipeline, taskQueue: string) {
  const { schedule } = spec;
  return {
    scheduleId: scheduleId(spec.name),
    spec: temporalSpec(spec),
    action: {
      type: 'startWorkflow',
      workflowType: 'etlCycle',
      workflowId: scheduleId(spec.name),
      taskQueue,
      args: [{ pipeline: spec.name }],
      staticSummary: `${spec.name}, by its schedule`,
      staticDetails: cycleDetails(spec),
    },
    policies: {
      overlap: OVERLAP_POLICY[schedule.overlap],
      catchupWindow: `${schedule.catchupWindowHours} hours`,
      pauseOnFailure: schedule.pauseOnFailure ?? false,
    },
    memo: OWNED_MEMO,
  } as const satisfies ScheduleOptions<ScheduleOptionsAction>;
}

function temporalSpec({ schedule, intervalHours }: ScheduledPipeline): TemporalScheduleSpec {
  const ticks = schedule.cron === undefined ? { intervals: [{ every: `${intervalHours} hours` as const }] } : { cronExpressions: [schedule.cron] };
  return { ...ticks, timezone: schedule.timeZone ?? 'UTC', jitter: `${schedule.jitterSeconds ?? 0} seconds` };
}
