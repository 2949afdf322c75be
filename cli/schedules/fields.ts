import { DAYS_OF_WEEK, MONTHS, type ScheduleDescription } from '@temporalio/client';
import { cronFields } from '../../domain/cron';
import { scheduleId } from '../../domain/cycle';
import type { ScheduleOverlap } from '../../domain/pipeline-spec';
import { OVERLAP_POLICY, type ScheduledPipeline } from './desired';

/** What a Schedule does, a text a field, in the declaration's words: two that do the same are equal field by field. */
export interface ScheduleFields {
  readonly ticks: string;
  readonly timeZone: string;
  readonly overlap: string;
  readonly catchupWindowHours: string;
  readonly jitterSeconds: string;
  readonly pauseOnFailure: string;
  readonly starts: string;
  readonly taskQueue: string;
  /** What a declaration has no word for, and a Schedule of ours has not: a start or an end, dates left out, a count of actions, time-outs. */
  readonly limits: string;
}

type Numbers = readonly { readonly start: number; readonly end: number; readonly step: number }[];
type Calendar = NonNullable<ScheduleDescription['spec']['calendars']>[number];
const HOUR_MS = 3_600_000;
const SECOND_MS = 1000;

export function declaredFields({ name, intervalHours, schedule }: ScheduledPipeline, taskQueue: string): ScheduleFields {
  return {
    ticks: schedule.cron === undefined ? intervalText(intervalHours * HOUR_MS, 0) : cronText(cronFields(schedule.cron)),
    timeZone: schedule.timeZone ?? 'UTC',
    overlap: schedule.overlap,
    catchupWindowHours: String(schedule.catchupWindowHours),
    jitterSeconds: String(schedule.jitterSeconds ?? 0),
    pauseOnFailure: String(schedule.pauseOnFailure ?? false),
    starts: startText('etlCycle', scheduleId(name), [{ pipeline: name }]),
    taskQueue,
    limits: 'none',
  };
}

export function describedFields({ spec, action, policies, state }: ScheduleDescription): ScheduleFields {
  const calendars = (spec.calendars ?? []).map(calendarText);
  const intervals = (spec.intervals ?? []).map(({ every, offset }) => intervalText(every, offset ?? 0)); // the client's type forgets that an offset of none is left out
  return {
    ticks: [...calendars, ...intervals].join(' and ') || 'never',
    timeZone: spec.timezone === undefined || spec.timezone === '' ? 'UTC' : spec.timezone,
    overlap: overlapText(policies.overlap),
    catchupWindowHours: String(policies.catchupWindow / HOUR_MS),
    jitterSeconds: String((spec.jitter ?? 0) / SECOND_MS),
    pauseOnFailure: String(policies.pauseOnFailure),
    starts: startText(action.workflowType, action.workflowId, action.args ?? []),
    taskQueue: action.taskQueue,
    limits: limitsOf({ spec, action, state }).join(', ') || 'none',
  };
}

function limitsOf({ spec, action, state }: Pick<ScheduleDescription, 'spec' | 'action' | 'state'>): readonly string[] {
  return [
    ...(spec.startAt === undefined ? [] : [`from ${spec.startAt.toISOString()}`]),
    ...(spec.endAt === undefined ? [] : [`until ${spec.endAt.toISOString()}`]),
    ...(spec.skip ?? []).map((each) => `not at ${calendarText(each)}`),
    ...(state.remainingActions === undefined ? [] : [`${state.remainingActions} more actions`]),
    ...(action.retry === undefined ? [] : ['a retry policy']),
    ...(action.workflowExecutionTimeout || action.workflowRunTimeout ? ['a time-out'] : []),
  ];
}

/** As a cron: minute, hour, day of the month, month, day of the week; seconds and years are named where a calendar has its own. */
function calendarText(calendar: Calendar): string {
  const second = expand(calendar.second);
  const year = expand(calendar.year);
  const month = calendar.month.map(({ start, end, step }) => ({ start: MONTHS.indexOf(start) + 1, end: MONTHS.indexOf(end) + 1, step }));
  const dayOfWeek = calendar.dayOfWeek.map(({ start, end, step }) => ({ start: DAYS_OF_WEEK.indexOf(start), end: DAYS_OF_WEEK.indexOf(end), step }));
  const cron = cronText({
    minute: expand(calendar.minute),
    hour: expand(calendar.hour),
    dayOfMonth: expand(calendar.dayOfMonth),
    month: expand(month),
    dayOfWeek: expand(dayOfWeek),
  });
  return [cron, ...(second.join() === '0' ? [] : [`at seconds ${second.join()}`]), ...(year.length === 0 ? [] : [`in ${year.join()}`])].join(' ');
}

function expand(ranges: Numbers): readonly number[] {
  const values = new Set<number>();
  for (const { start, end, step } of ranges) for (let value = start; value <= end; value += step) values.add(value);
  return [...values].sort((a, b) => a - b);
}

/** One spelling of a set of ticks, however it was declared. */
function cronText({ minute, hour, dayOfMonth, month, dayOfWeek }: ReturnType<typeof cronFields>): string {
  const field = (values: readonly number[], all: number) => (values.length === all ? '*' : values.join(','));
  return [field(minute, 60), field(hour, 24), field(dayOfMonth, 31), field(month, 12), field(dayOfWeek, 7)].join(' ');
}

function intervalText(everyMs: number, offsetMs: number): string {
  return `every ${everyMs / HOUR_MS} h${offsetMs === 0 ? '' : ` from ${offsetMs / HOUR_MS} h on`}`;
}

function startText(workflowType: string, workflowId: string, args: readonly unknown[]): string {
  return `${workflowType} ${workflowId} ${args.map((each) => JSON.stringify(each)).join(' ')}`;
}

function overlapText(policy: ScheduleDescription['policies']['overlap']): string {
  const declared = (Object.keys(OVERLAP_POLICY) as ScheduleOverlap[]).find((each) => OVERLAP_POLICY[each] === policy);
  return declared ?? String(policy).toLowerCase().replaceAll('_', '-');
}
