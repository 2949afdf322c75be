import { type CronFields, matchesDate, parseCron } from './cron';
import { type PipelineSpec, SCHEDULE_OVERLAPS, type ScheduleSpec } from './pipeline-spec';
import { isTimeZone } from './time-zone';

const HOUR_MS = 3_600_000;
/** Ten years: the 29th of February more than once, and every date on every day of the week. */
const FIRST_SAMPLED_HOUR = Date.parse('2024-01-01T00:00:00Z') / HOUR_MS;
const LAST_SAMPLED_HOUR = Date.parse('2034-01-01T00:00:00Z') / HOUR_MS;
const LONGEST_CATCH_UP_HOURS = 366 * 24;
const DAY_SECONDS = 86_400;

/** Every fault of a declared schedule, each with its path, what was expected and what was found; empty without a schedule. */
export function scheduleFaults(spec: Pick<PipelineSpec, 'intervalHours' | 'schedule'>): readonly string[] {
  const { schedule } = spec;
  if (schedule === undefined) return [];
  const faults: string[] = [];
  const expectWhole = (name: keyof ScheduleSpec, least: number, most: number) => {
    const value = schedule[name];
    if (value === undefined || (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most)) return;
    faults.push(`schedule.${name}: expected a whole number from ${least} to ${most}, found ${JSON.stringify(value)}`);
  };

  const { cron, everyHours, timeZone } = schedule;
  if (cron === undefined && everyHours === undefined) faults.push('schedule.cron: expected it or everyHours, found neither');
  if (cron !== undefined && everyHours !== undefined) faults.push('schedule.cron: expected it or everyHours, found both');
  if (everyHours !== undefined && everyHours !== spec.intervalHours) {
    faults.push(`schedule.everyHours: expected intervalHours, ${spec.intervalHours}, since a tick ends a data interval, found ${everyHours}`);
  }
  if (timeZone !== undefined && !isTimeZone(timeZone)) {
    faults.push(`schedule.timeZone: expected an IANA name such as Europe/Zurich, found ${JSON.stringify(timeZone)}`);
  }
  if (everyHours !== undefined && timeZone !== undefined && timeZone !== 'UTC') {
    faults.push(`schedule.timeZone: expected none with everyHours, which counts in UTC, found ${JSON.stringify(timeZone)}`);
  }
  if (cron !== undefined) faults.push(...cronFaults(cron, spec.intervalHours).map((fault) => `schedule.cron: ${fault}`));
  if (!SCHEDULE_OVERLAPS.includes(schedule.overlap)) {
    faults.push(`schedule.overlap: expected one of ${SCHEDULE_OVERLAPS.join(', ')}, found ${JSON.stringify(schedule.overlap)}`);
  }
  expectWhole('catchupWindowHours', 1, LONGEST_CATCH_UP_HOURS);
  expectWhole('jitterSeconds', 0, DAY_SECONDS);
  return faults;
}

/** What does not read, never fires, is finer than raw objects are found by, or leaves more between two ticks than the declared interval. */
function cronFaults(cron: string, intervalHours: number): readonly string[] {
  const read = parseCron(cron);
  if ('faults' in read) return read.faults;
  const { minute } = read.fields;
  if (minute.length > 1) return [`minute: expected one, since raw objects are found by the hour of their arrival, found ${minute.length}`];
  const apart = hoursApart(read.fields);
  return apart > intervalHours ? [`expected ticks at most intervalHours, ${intervalHours}, apart, found ${apart} hours between two`] : [];
}

/** The longest time between two ticks by the face of a clock that nobody changes. */
function hoursApart(fields: CronFields): number {
  let [longest, previous] = [0, Number.NaN];
  for (let hour = FIRST_SAMPLED_HOUR; hour < LAST_SAMPLED_HOUR; hour += 24) {
    if (!matchesDate(fields, new Date(hour * HOUR_MS))) continue;
    for (const tick of fields.hour.map((each) => hour + each)) {
      if (tick - previous > longest) longest = tick - previous;
      previous = tick;
    }
  }
  return longest;
}
