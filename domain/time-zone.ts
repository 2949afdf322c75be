const SECOND_MS = 1000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** True for a zone that this machine's time zone database names, such as `Europe/Zurich`; an offset such as `+01:00` is none. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    return formatOf(name) !== undefined;
  } catch {
    return false;
  }
}

/** Wall-clock time in a zone, as the epoch milliseconds that a UTC clock with the same face would show; whole seconds. */
export function wallClockMs(instantMs: number, timeZone: string): number {
  if (timeZone === 'UTC') return instantMs;
  const part: Record<string, number> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(instantMs)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/**
 * The instant at which clocks of a zone show `wallMs`. Of two (the hour that autumn repeats) and of none (the hour that spring skips) it
 * is the one that Go's `time.Date` gives, because Temporal's server asks that: west of Greenwich the first, from there eastwards the second.
 */
export function instantAtWallClock(wallMs: number, timeZone: string): number {
  const offsetMs = (atMs: number) => wallClockMs(atMs, timeZone) - Math.floor(atMs / SECOND_MS) * SECOND_MS;
  return wallMs - offsetMs(wallMs - offsetMs(wallMs));
}

/** Kept: to make one costs a hundred times what it costs to use one. */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const kept = formats.get(timeZone);
  if (kept !== undefined) return kept;
  const made = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'iso8601',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  formats.set(timeZone, made);
  return made;
}
