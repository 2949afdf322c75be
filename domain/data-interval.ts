/** Half-open data interval `[start, end)`; both ends are UTC RFC 3339 with second precision, e.g. `2018-08-02T00:00:00Z`. */
export interface DataInterval {
  readonly start: string;
  readonly end: string;
}

const RFC3339_UTC_SECONDS = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
const RFC3339 = /^(\d{4}-\d{2}-\d{2})T(?:[01]\d|2[0-3]):\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})$/;
const HOUR_MS = 3_600_000;

/** Formats an instant as Temporal Schedules do in the workflow ids they make: UTC, whole seconds, `Z`. */
export function toRfc3339(instant: Date): string {
  return instant.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** `2018-08-02T00:00:00Z` as `20180802T000000Z`: safe in S3 keys, table comments and tokens. */
export function compactInstant(rfc3339: string): string {
  return rfc3339.replace(/[-:]/g, '');
}

/**
 * The interval of `intervalHours` that ends at `end`.
 * @throws RangeError when `end` is no UTC instant or is not aligned to the interval's length since the epoch
 */
export function intervalEndingAt(end: string, intervalHours: number): DataInterval {
  const endMs = instantMs(end);
  if (endMs === undefined) {
    throw new RangeError(`Interval end "${end}" is not an instant: expected RFC 3339 with a zone, such as 2018-08-02T00:00:00Z`);
  }
  const lengthMs = intervalHours * HOUR_MS;
  if (endMs % lengthMs !== 0) {
    const before = toRfc3339(new Date(Math.floor(endMs / lengthMs) * lengthMs));
    const after = toRfc3339(new Date(Math.ceil(endMs / lengthMs) * lengthMs));
    throw new RangeError(
      `Interval end "${end}" is not the end of a ${intervalHours}-hour interval: the nearest ones end at ${before} and ${after}`,
    );
  }
  return { start: toRfc3339(new Date(endMs - lengthMs)), end: toRfc3339(new Date(endMs)) };
}

/** The last interval of `intervalHours` that had closed at `instant`. */
export function lastClosedInterval(instant: Date, intervalHours: number): DataInterval {
  const lengthMs = intervalHours * HOUR_MS;
  return intervalEndingAt(toRfc3339(new Date(Math.floor(instant.getTime() / lengthMs) * lengthMs)), intervalHours);
}

/** `Date.parse` alone takes the 30th of February for the 2nd of March, and hour 24 for the next day: another interval than was asked for. */
function instantMs(text: string): number | undefined {
  const [, date = ''] = RFC3339.exec(text) ?? [];
  const dayMs = Date.parse(`${date}T00:00:00Z`);
  if (Number.isNaN(dayMs) || !toRfc3339(new Date(dayMs)).startsWith(`${date}T`)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** True when `value` has the one spelling that ids and keys use. */
export function isCanonicalInstant(value: string): boolean {
  return RFC3339_UTC_SECONDS.test(value) && !Number.isNaN(Date.parse(value)) && toRfc3339(new Date(value)) === value;
}
