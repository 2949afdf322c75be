import type { BackfillInput, BackfillPlan } from '../domain/backfill';
import { type BackfillProgress, notLoadedCount } from '../domain/backfill-progress';
import { toRfc3339 } from '../domain/data-interval';

const NAMED = 10;

/** What a backfill would run, before it does. */
export function backfillPlanText(input: BackfillInput, { due, states, needDecision }: BackfillPlan, estimatedMs: number | undefined): string {
  const counted = Object.entries(states).map(([state, count]) => `${state} ${count}`);
  const lines = [`${input.pipeline} [${input.from}, ${input.to}): ${counted.join(', ')}`];
  if (due.length === 0) lines.push('  nothing to run: every interval is loaded, empty, or waits for a decision');
  else {
    lines.push(`  to run: ${due.length}, ${estimatedMs === undefined ? 'how long is not known: no cycle of the pipeline has promoted yet' : `some ${duration(estimatedMs)} by the median of those on record`}`);
    lines.push(...due.slice(0, NAMED).map((each) => `    until ${each.end}  ${each.state}`));
    if (due.length > NAMED) lines.push(`    … and ${due.length - NAMED} more until ${due.at(-1)?.end}`);
  }
  if (needDecision.length > 0) lines.push(decisionLine(input.pipeline, needDecision.length, needDecision));
  return lines.join('\n');
}

/** How far a backfill is, or how it ended. */
export function backfillProgressText(progress: BackfillProgress): string {
  const { pipeline, from, to, state, why, outcomes, running, left, settledMeanwhile, estimatedEndMs, needDecision, notLoaded } = progress;
  const lines = [
    `${pipeline} [${from}, ${to}): ${state}${why === undefined ? '' : `: ${why}`}`,
    `  of ${progress.total}: promoted ${outcomes.promoted}, empty ${outcomes.empty}, not loaded ${notLoadedCount(outcomes)}, settled meanwhile ${settledMeanwhile}, left ${left}`,
    ...running.map((each) => `  ▶ until ${each.intervalEnd}, since ${at(each.sinceMs)}${each.another ? ', run by somebody else' : ''}`),
    ...(estimatedEndMs === undefined ? [] : [`  estimated end ${at(estimatedEndMs)}`]),
    ...notLoaded.slice(0, NAMED).map((each) => `  ✘ until ${each.intervalEnd}: ${each.outcome}${each.reason === undefined ? '' : `: ${each.reason}`}`),
  ];
  if (needDecision.count > 0) lines.push(decisionLine(pipeline, needDecision.count, needDecision.first));
  return lines.join('\n');
}

function decisionLine(pipeline: string, count: number, ends: readonly string[]): string {
  return `  ${count} rejected, for \`meridian rerun ${pipeline} <interval end>\` or \`discard\`: ${ends.slice(0, NAMED).join(', ')}${count > NAMED ? ', …' : ''}`;
}

function at(epochMs: number): string {
  return toRfc3339(new Date(epochMs));
}

function duration(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  if (minutes < 1) return `${Math.round(ms / 1_000)} s`;
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
