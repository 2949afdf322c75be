import { mobileGeolocation } from '../../../pipelines/mobile-geolocation';
import { jsonLinesOf } from '../dedup/records';

/** Positions over the middle of Europe, made from their number alone: the same number is the same record. */
export interface Delivery {
  /** UTC day in which the objects arrive. */
  readonly arrives: string;
  /** Positions by the UTC day that they were recorded on. */
  readonly records: readonly { readonly day: string; readonly from: number; readonly to: number }[];
}

const RECORDS_PER_OBJECT = 50_000;
const DAY_MS = 86_400_000;

/** Objects of a delivery, one after another: together they would be gigabytes. The same bytes each time. */
export async function* objectsOf({ arrives, records }: Delivery, scratch: string): AsyncGenerator<{ readonly key: string; readonly body: Buffer }> {
  for (const { day, from, to } of records) {
    for (let first = from; first < to; first += RECORDS_PER_OBJECT) {
      const name = `${day}-${String(first).padStart(9, '0')}.json.gz`;
      yield { key: `${deliveryPrefix(arrives)}23/${name}`, body: await jsonLinesOf(positionsSql(day, first, Math.min(first + RECORDS_PER_OBJECT, to)), scratch) };
    }
  }
}

/** Below which raw prefix a day's objects arrive. */
export function deliveryPrefix(day: string): string {
  return `${mobileGeolocation.raw.prefix}${day.replaceAll('-', '/')}/`;
}

/** 7919 is prime and no divisor of a day: no two of the first 86 million numbers share a millisecond. */
function positionsSql(day: string, from: number, to: number): string {
  return `select (${Date.parse(`${day}T00:00:00Z`)} + (i * 7919) % ${DAY_MS})::bigint as timestamp,
    lower(hex(i % 5000 + 1048576)) as icao24,
    round(((i * 40503) % 20000000) / 1e6, 6)::double as longitude,
    round(((i * 2654435761) % 8000000) / 1e6 + 44, 6)::double as latitude,
    (100 + i % 400)::double as groundspeed, (i % 40000)::double as altitude
    from range(${from}, ${to}) t(i)`;
}
