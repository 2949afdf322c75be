import { MOST_INTERVALS } from './backfill';
import { intervalEndingAt, intervalsBetween, lastClosedInterval } from './calendar';
import type { DataInterval } from './data-interval';
import type { PipelineSpec } from './pipeline-spec';

export interface BackfillRange {
  readonly from: string;
  readonly to: string;
}

const HOUR_MS = 3_600_000;

/**
 * The intervals of a pipeline within `[from, to)`, oldest first.
 * @throws RangeError when an end is no tick of the pipeline, the range is empty, too long, or has not closed at `now`
 */
export function backfillIntervals(spec: PipelineSpec, range: BackfillRange, now: Date): readonly DataInterval[] {
  const from = tick('from', range.from, spec);
  const to = tick('to', range.to, spec);
  if (Date.parse(from) >= Date.parse(to)) throw new RangeError(`The range [${from}, ${to}) is empty: expected \`from\` before \`to\``);
  if (Date.parse(to) > now.getTime()) {
    const { end } = lastClosedInterval(now, spec);
    throw new RangeError(`to: ${to} has not come yet, now it is ${now.toISOString()}: the last interval of ${spec.name} that has closed ends at ${end}`);
  }
  // A range of years need not be counted out to be too long.
  const countedToMs = Math.min(Date.parse(to), Date.parse(from) + 2 * MOST_INTERVALS * spec.intervalHours * HOUR_MS);
  const intervals = intervalsBetween(spec, from, new Date(countedToMs).toISOString());
  if (intervals.length > MOST_INTERVALS || countedToMs < Date.parse(to)) {
    throw new RangeError(`The range [${from}, ${to}) has more than ${MOST_INTERVALS} intervals of ${spec.name}: backfill it in parts`);
  }
  return intervals;
}

function tick(name: keyof BackfillRange, instant: string, spec: PipelineSpec): string {
  try {
    return intervalEndingAt(instant, spec).end;
  } catch (error) {
    throw new RangeError(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
