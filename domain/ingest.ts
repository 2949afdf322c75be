import { type CalendarSpec, lastClosedInterval, requestedInterval } from './calendar';
import { type DataInterval, instantMs, toRfc3339 } from './data-interval';
import { INGEST_MODES, type IngestSpec, type PipelineSpec } from './pipeline-spec';

const HOUR_MS = 3_600_000;
const MIB = 1024 ** 2;
/** As far as clocks of workers, gateways and Temporal may differ. */
const CLOCK_TOLERANCE_MS = 10 * 60_000;

/** What an inbox needs to know of a pipeline that runs on objects. */
export type IngestDeclaration = Pick<PipelineSpec, 'name' | 'dataset' | 'intervalHours' | 'raw' | 'dedup'> & { readonly ingest: IngestSpec };

/** Whether a Schedule starts cycles of the pipeline. */
export function runsNightly({ ingest }: Pick<PipelineSpec, 'ingest'>): boolean {
  return ingest?.mode !== 'on-object';
}

/** Whether arriving objects start cycles of the pipeline. */
export function runsOnObject({ ingest }: Pick<PipelineSpec, 'ingest'>): boolean {
  return ingest?.mode === 'on-object' || ingest?.mode === 'both';
}

/** `inbox/<pipeline>`: the one workflow that arriving objects of the pipeline are told to. */
export function inboxWorkflowId(pipeline: string): string {
  return `inbox/${pipeline}`;
}

/** What a cycle was asked for: an end, and with it, when objects made it start, a start of its own. */
export interface AskedInterval {
  readonly intervalStart?: string;
  readonly intervalEnd?: string;
}

/**
 * The interval that a cycle asked for at an instant processes. Of pipelines that run on objects any closed one of at most
 * `intervalHours` will do; without a start of its own, one that is none of the calendar's has that length.
 * @throws RangeError as `requestedInterval`, and for a start that is no instant before the end, too early, or of a pipeline that runs on its calendar alone
 */
export function askedInterval(
  spec: CalendarSpec & Pick<PipelineSpec, 'name' | 'ingest'>,
  { intervalStart: start, intervalEnd: end }: AskedInterval,
  at: Date,
): DataInterval {
  if (start !== undefined && !runsOnObject(spec)) {
    throw new RangeError(`Interval start "${start}" was given, but pipeline "${spec.name}" does not run on objects: its calendar says where intervals start`);
  }
  const endMs = end === undefined ? undefined : instantMs(end);
  if (endMs === undefined || !runsOnObject(spec) || (start === undefined && isTick(spec, endMs))) return requestedInterval(spec, end, at);
  if (endMs > at.getTime() + CLOCK_TOLERANCE_MS) {
    throw new RangeError(`Interval end "${end}" is in the future: this was asked for at ${toRfc3339(at)}`);
  }
  const longestMs = spec.intervalHours * HOUR_MS;
  const startMs = start === undefined ? endMs - longestMs : instantMs(start);
  if (startMs === undefined || startMs >= endMs || endMs - startMs > longestMs) {
    throw new RangeError(`Interval [${start}, ${end}) is none: expected instants in RFC 3339, the first before the second by at most ${spec.intervalHours} hours`);
  }
  return { start: toRfc3339(new Date(startMs)), end: toRfc3339(new Date(endMs)) };
}

function isTick(spec: CalendarSpec, endMs: number): boolean {
  return lastClosedInterval(new Date(endMs), spec).end === toRfc3339(new Date(endMs));
}

/** Every fault of what is declared about arriving objects; empty without it. */
export function ingestFaults(spec: Pick<PipelineSpec, 'ingest' | 'dedup'>): readonly string[] {
  const { ingest, dedup } = spec;
  if (ingest === undefined) return [];
  const whole = (name: 'maxObjects' | 'maxBytes' | 'maxAgeSeconds' | 'sweepMinutes', least: number, most: number) => {
    const value = ingest[name];
    const sound = Number.isInteger(value) && value >= least && value <= most;
    return sound ? [] : [`ingest.${name}: expected a whole number from ${least} to ${most}, found ${JSON.stringify(value)}`];
  };
  return [
    ...(INGEST_MODES.includes(ingest.mode) ? [] : [`ingest.mode: expected one of ${INGEST_MODES.join(', ')}, found ${JSON.stringify(ingest.mode)}`]),
    ...whole('maxObjects', 1, 100_000),
    // Firehose's own limits (S2.31): smaller cycles would cost more than they load, larger ones let readers wait.
    ...whole('maxBytes', 64 * MIB, 128 * MIB),
    ...whole('maxAgeSeconds', 60, 900),
    ...whole('sweepMinutes', 1, 24 * 60),
    // The next cycle makes up for one that failed: it looks back by the lateness, not by the night.
    ...(runsOnObject(spec) && dedup.latenessDays < 1 ? [`dedup.latenessDays: expected at least 1 where arriving objects start cycles, found ${dedup.latenessDays}`] : []),
  ];
}
