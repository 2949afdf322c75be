import { MOST_INTERVALS } from './backfill';
import { type DataInterval, intervalEndingAt, lastClosedInterval } from './data-interval';
import type { PipelineSpec } from './pipeline-spec';

export interface BackfillRange {
  readonly from: string;
  readonly to: string;
}

/**
 * The intervals of a pipeline within `[from, to)`, oldest first.
 * @throws RangeError when an end is no tick of the pipeline, the range is empty, too long, or has not closed at `now`
 */
export function backfillIntervals(spec: PipelineSpec, range: BackfillRange, now: Date): readonly DataInterval[] {
  const from = tick('from', range.from, spec);
  const to = tick('to', range.to, spec);
  if (Date.parse(from) >= Date.parse(to)) throw new RangeError(`The range [${from}, ${to}) is empty: expected \`from\` before \`to\``);
  if (Date.parse(to) > now.getTime()) {
    const { end } = lastClosedInterval(now, spec.intervalHours);
    throw new RangeError(`to: ${to} has not come yet, now it is ${now.toISOString()}: the last interval of ${spec.name} that has closed ends at ${end}`);
  }
  return between(spec, from, to);
}

function between(spec: PipelineSpec, from: string, to: string): readonly DataInterval[] {
  const lengthMs = spec.intervalHours * 3_600_000;
  const count = (Date.parse(to) - Date.parse(from)) / lengthMs;
  if (count > MOST_INTERVALS) {
    throw new RangeError(`The range [${from}, ${to}) has ${count} intervals of ${spec.name}, at most ${MOST_INTERVALS} are allowed: backfill it in parts`);
  }
  return Array.from({ length: count }, (_, index) => intervalEndingAt(new Date(Date.parse(from) + (index + 1) * lengthMs).toISOString(), spec.intervalHours));
}

function tick(name: keyof BackfillRange, instant: string, spec: PipelineSpec): string {
  try {
    return intervalEndingAt(instant, spec.intervalHours).end;
  } catch (error) {
    throw new RangeError(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
