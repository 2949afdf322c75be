import type { ScheduleDescription } from '@temporalio/client';
import { toRfc3339 } from '../../domain/data-interval';
import { wallClockMs } from '../../domain/time-zone';
import { describedFields } from './fields';
import type { ScheduleStep } from './reconcile';

/** A Schedule as `list` prints it. */
export interface ListedSchedule {
  readonly scheduleId: string;
  readonly ticks: string;
  readonly timeZone: string;
  readonly paused: boolean;
  readonly note?: string;
  /** RFC 3339, as the server will fire them. */
  readonly nextTicks: readonly string[];
  /** Newest first; due at the tick and its jitter. */
  readonly lastActions: readonly { readonly dueAt: string; readonly startedAt: string; readonly workflowId: string }[];
  readonly running: readonly string[];
  /** Ticks whose cycles start once what runs has ended. */
  readonly waitingTicks: number;
  /** Ticks that were older than the catch-up window when the server came back. */
  readonly missedTicks: number;
  /** Ticks that an earlier cycle was still running at, where the declared overlap skips. */
  readonly skippedTicks: number;
}

const SHOWN = 3;

export function listedSchedule(description: ScheduleDescription): ListedSchedule {
  const { scheduleId, state, info } = description;
  const { ticks, timeZone } = describedFields(description);
  return {
    scheduleId,
    ticks,
    timeZone,
    paused: state.paused,
    ...(state.note === undefined || state.note === '' ? {} : { note: state.note }),
    nextTicks: info.nextActionTimes.slice(0, SHOWN).map(toRfc3339),
    lastActions: info.recentActions
      .slice(-SHOWN)
      .reverse()
      .map(({ scheduledAt, takenAt, action }) => ({ dueAt: toRfc3339(scheduledAt), startedAt: toRfc3339(takenAt), workflowId: action.workflow.workflowId })),
    running: info.runningActions.map(({ workflow }) => workflow.workflowId),
    waitingTicks: waitingTicks(description),
    missedTicks: info.numActionsMissedCatchupWindow,
    skippedTicks: info.numActionsSkippedOverlap,
  };
}

/** Ticks that wait for a running cycle: a pause drops them. */
export function waitingTicks({ raw }: ScheduleDescription): number {
  return Number(raw.info?.bufferSize ?? 0);
}

/** @param localZone - the reader's own, shown beside UTC and the Schedule's */
export function scheduleText(listed: ListedSchedule, localZone: string): string {
  const note = listed.note === undefined ? '' : ` (${listed.note})`;
  const lines = [`${listed.scheduleId}  ${listed.ticks} ${listed.timeZone}  ${listed.paused ? 'paused' : 'active'}${note}`];
  for (const tick of listed.nextTicks) lines.push(`  next  ${tickText(tick, [listed.timeZone, localZone])}`);
  for (const { dueAt, startedAt, workflowId } of listed.lastActions) {
    lines.push(`  last  ${dueAt}  started ${startedAt} as ${workflowId}${listed.running.includes(workflowId) ? ', still running' : ''}`);
  }
  if (listed.waitingTicks > 0) lines.push(`  ticks that wait for what runs: ${listed.waitingTicks}`);
  if (listed.missedTicks > 0) lines.push(`  ticks older than the catch-up window, to be made up with \`meridian backfill\`: ${listed.missedTicks}`);
  if (listed.skippedTicks > 0) lines.push(`  ticks skipped while a cycle ran: ${listed.skippedTicks}`);
  return lines.join('\n');
}

/** `2026-11-26T00:00:00Z  2026-11-26 01:00 Europe/Zurich`: UTC, then each other zone once. */
function tickText(tick: string, zones: readonly string[]): string {
  const local = [...new Set(zones)].filter((zone) => zone !== 'UTC').map((zone) => `${new Date(wallClockMs(Date.parse(tick), zone)).toISOString().slice(0, 16).replace('T', ' ')} ${zone}`);
  return [tick, ...local].join('  ');
}

/** A plan, or what became of it: a line a Schedule, and a line a field that changes. */
export function stepsText(steps: readonly ScheduleStep[], prune: boolean): string {
  const lines = steps.flatMap((step) => stepLines(step, prune));
  const pending = steps.some((step) => step.kind === 'create' || step.kind === 'change' || (step.kind === 'undeclared' && prune));
  return [...lines, ...(pending ? [] : ['no change'])].join('\n');
}

function stepLines(step: ScheduleStep, prune: boolean): readonly string[] {
  switch (step.kind) {
    case 'create':
      return [`+ ${step.scheduleId}`, ...Object.entries(step.fields).map(([field, value]) => `    ${field}: ${value}`)];
    case 'change':
      return [`~ ${step.scheduleId}`, ...step.changes.map(({ field, before, after }) => `    ${field}: ${before} → ${after}`)];
    case 'unchanged':
      return [`= ${step.scheduleId}`];
    case 'undeclared':
      return [`${prune ? '-' : '?'} ${step.scheduleId}: no pipeline declares it${prune ? '' : '; `schedules apply --prune` removes it'}`];
    default:
      return step satisfies never;
  }
}
