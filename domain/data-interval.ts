/** Half-open data interval `[start, end)`; both ends are UTC RFC 3339 with second precision, e.g. `2018-08-02T00:00:00Z`. */
export interface DataInterval {
  readonly start: string;
  readonly end: string;
}

const RFC3339_UTC_SECONDS = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
const RFC3339 = /^(\d{4}-\d{2}-\d{2})T(?:[01]\d|2[0-3]):\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:\d{2})$/;

/** Formats an instant as Temporal Schedules do in the workflow ids they make: UTC, whole seconds, `Z`. */
export function toRfc3339(instant: Date): string {
  return instant.toISOString().replace(/\.\d{3}Z$/, 'Z');
}

/** `2018-08-02T00:00:00Z` as `20180802T000000Z`: safe in S3 keys, table comments and tokens. */
export function compactInstant(rfc3339: string): string {
  return rfc3339.replace(/[-:]/g, '');
}

/**
 * Epoch milliseconds of an RFC 3339 instant, undefined for any other text. `Date.parse` alone takes the 30th of February for the 2nd of
 * March, and hour 24 for the next day: another interval than was asked for.
 */
export function instantMs(text: string): number | undefined {
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
