import { type DataInterval, instantMs, toRfc3339 } from './data-interval';
import { type CronFields, cronFields, matchesDate } from './cron';
import type { PipelineSpec } from './pipeline-spec';
import { instantAtWallClock, wallClockMs } from './time-zone';

/**
 * When a pipeline's intervals end: at the ticks of its cron, else every `intervalHours` since 1970 in UTC. Activities and the CLI ask it,
 * workflows never: time zones come from the machine's database, which another worker may have in another edition.
 */
export type CalendarSpec = Pick<PipelineSpec, 'intervalHours' | 'schedule'>;

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * HOUR_MS;
/** The 29th of February is eight years away at most. */
const LONGEST_WALK_DAYS = 8 * 366 + 2;

/**
 * The interval that ends at `end`: it starts at the tick before, so that intervals tile whatever the clocks do.
 * @throws RangeError when `end` is no instant, or no tick; it names the two nearest
 */
export function intervalEndingAt(end: string, spec: CalendarSpec): DataInterval {
  const endMs = instantMs(end);
  if (endMs === undefined) {
    throw new RangeError(`Interval end "${end}" is not an instant: expected RFC 3339 with a zone, such as 2018-08-02T00:00:00Z`);
  }
  const before = tickAtOrBefore(endMs, spec);
  if (before !== endMs) {
    throw new RangeError(
      `Interval end "${end}" is not the end of ${intervalName(spec)}: the nearest ones end at ${rfc3339(before)} and ${nextTicks(spec, new Date(endMs), 1)[0]}`,
    );
  }
  return { start: rfc3339(tickAtOrBefore(endMs - 1, spec)), end: rfc3339(endMs) };
}

/** The last interval that had closed at `instant`; at a tick, the one that ends there. */
export function lastClosedInterval(instant: Date, spec: CalendarSpec): DataInterval {
  const endMs = tickAtOrBefore(instant.getTime(), spec);
  return { start: rfc3339(tickAtOrBefore(endMs - 1, spec)), end: rfc3339(endMs) };
}

/**
 * The interval that a cycle asked for at an instant processes: the one that ends at `end`, else the last that had closed.
 * @throws RangeError as `intervalEndingAt`, and for an interval that had not closed: what arrives later would be in none
 */
export function requestedInterval(spec: CalendarSpec, end: string | undefined, at: Date): DataInterval {
  const last = lastClosedInterval(at, spec);
  if (end === undefined) return last;
  const interval = intervalEndingAt(end, spec);
  if (interval.end <= last.end) return interval;
  throw new RangeError(`Interval end "${end}" is in the future: the last interval that has closed ended at ${last.end}`);
}

/**
 * The intervals that end in `(from, to]`, oldest first: ranges that adjoin share none and leave none out.
 * @throws RangeError when `from` or `to` is no instant, or `from` is not before `to`
 */
export function intervalsBetween(spec: CalendarSpec, from: string, to: string): readonly DataInterval[] {
  const [fromMs, toMs] = [instantMs(from), instantMs(to)];
  if (fromMs === undefined || toMs === undefined || fromMs >= toMs) {
    throw new RangeError(`Expected two instants in RFC 3339, the first before the second, found "${from}" and "${to}"`);
  }
  const intervals: DataInterval[] = [];
  let start = tickAtOrBefore(fromMs, spec);
  for (const end of ticksAfter(fromMs, spec)) {
    if (end > toMs) break;
    intervals.push({ start: rfc3339(start), end: rfc3339(end) });
    start = end;
  }
  return intervals;
}

/** The first `count` ticks after an instant, RFC 3339. */
export function nextTicks(spec: CalendarSpec, after: Date, count: number): readonly string[] {
  const ticks: string[] = [];
  for (const tick of ticksAfter(after.getTime(), spec)) {
    if (ticks.length >= count) break;
    ticks.push(rfc3339(tick));
  }
  return ticks;
}

/** No interval is longer: where a zone's clocks skip a tick in spring, two become one. */
export function longestIntervalHours({ intervalHours, schedule }: CalendarSpec): number {
  return schedule?.cron === undefined || (schedule.timeZone ?? 'UTC') === 'UTC' ? intervalHours : 2 * intervalHours + 1;
}

function tickAtOrBefore(atMs: number, spec: CalendarSpec): number {
  const cron = cronOf(spec);
  if (cron === undefined) return Math.floor(atMs / lengthMs(spec)) * lengthMs(spec);
  for (const date of civilDates(atMs, cron, -1)) {
    const tick = ticksOn(date, cron).findLast((each) => each <= atMs);
    if (tick !== undefined) return tick;
  }
  throw neverFires(spec, atMs);
}

/** Ascending and without end. @throws RangeError from where none is left for eight years */
function* ticksAfter(atMs: number, spec: CalendarSpec): Generator<number, never> {
  const cron = cronOf(spec);
  for (let last = atMs; ; ) {
    const before = last;
    if (cron === undefined) yield (last = (Math.floor(last / lengthMs(spec)) + 1) * lengthMs(spec));
    else {
      for (const date of civilDates(before, cron, 1)) {
        for (const tick of ticksOn(date, cron)) if (tick > last) yield (last = tick);
      }
    }
    if (last === before) throw neverFires(spec, before);
  }
}

interface Cron {
  readonly fields: CronFields;
  readonly timeZone: string;
}

function cronOf({ schedule }: CalendarSpec): Cron | undefined {
  return schedule?.cron === undefined ? undefined : { fields: cronFields(schedule.cron), timeZone: schedule.timeZone ?? 'UTC' };
}

/** Dates of the expression from the zone's date at an instant on, or backwards, each as its midnight on a UTC clock. */
function* civilDates(atMs: number, { fields, timeZone }: Cron, direction: 1 | -1): Generator<number> {
  // The day before and after too: a repeated hour at midnight belongs to both.
  const firstMs = Math.floor(wallClockMs(atMs, timeZone) / DAY_MS) * DAY_MS - direction * DAY_MS;
  for (let day = 0; day < LONGEST_WALK_DAYS; day += 1) {
    const dateMs = firstMs + direction * day * DAY_MS;
    if (matchesDate(fields, new Date(dateMs))) yield dateMs;
  }
}

/**
 * The ticks of one civil date, ascending, as Temporal's server fires them (docs/decisions/0015). A time that spring skips has none. Where
 * autumn shows an hour twice the server, walking on from an hour that fires, takes the pass that follows; it takes the later pass of an
 * hour only if it has not taken the earlier.
 */
function ticksOn(dateMs: number, { fields, timeZone }: Cron): readonly number[] {
  const ticks: number[] = [];
  let takenMs: number | undefined;
  for (const hour of fields.hour) {
    const hourMs = dateMs + hour * HOUR_MS;
    if (hourMs === takenMs) continue;
    const repeats = instantAtWallClock(hourMs + HOUR_MS, timeZone) - instantAtWallClock(hourMs, timeZone) > HOUR_MS;
    for (const minute of fields.minute) {
      const tick = instantAtWallClock(hourMs + minute * MINUTE_MS, timeZone);
      if (shownHourMs(tick, timeZone) !== hourMs) continue;
      ticks.push(tick);
      if (!repeats) continue;
      ticks.push(tick + HOUR_MS);
      takenMs = shownHourMs(tick + HOUR_MS, timeZone);
    }
  }
  return ticks.sort((a, b) => a - b);
}

function shownHourMs(instantMs: number, timeZone: string): number {
  return Math.floor(wallClockMs(instantMs, timeZone) / HOUR_MS) * HOUR_MS;
}

function lengthMs(spec: CalendarSpec): number {
  return spec.intervalHours * HOUR_MS;
}

function intervalName({ intervalHours, schedule }: CalendarSpec): string {
  return schedule?.cron === undefined ? `a ${intervalHours}-hour interval` : `an interval of "${schedule.cron}" in ${schedule.timeZone ?? 'UTC'}`;
}

function neverFires({ schedule }: CalendarSpec, atMs: number): RangeError {
  return new RangeError(`Cron "${schedule?.cron}" in ${schedule?.timeZone ?? 'UTC'} fires at no time within eight years of ${rfc3339(atMs)}`);
}

function rfc3339(ms: number): string {
  return toRfc3339(new Date(ms));
}
