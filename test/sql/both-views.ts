import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';

/** One statement over both views, in either order. */
const BOTH_VIEWS = [
  `select (select count(*)::int from vw_places) as places, (select min(night) from vw_places) as first, (select max(night) from vw_places) as last,
          (select records::int from vw_totals) as records`,
  `select (select records::int from vw_totals) as records, (select max(night) from vw_places) as last, (select min(night) from vw_places) as first,
          (select count(*)::int from vw_places) as places`,
];
interface Seen {
  readonly places: number;
  readonly first: string | null;
  readonly last: string | null;
  readonly records: number | null;
}
/** What readers saw. */
export interface Tally {
  reads: number;
  failed: number;
  empty: number;
  mixed: number;
  readonly nights: Set<string>;
}

export function newTally(): Tally {
  return { reads: 0, failed: 0, empty: 0, mixed: 0, nights: new Set() };
}

/** Reads until told to stop; `repeatable` readers take their snapshot first, and look at the views a little later. */
export async function readOn(client: Client, tally: Tally, stop: AbortSignal, isolation: 'read committed' | 'repeatable read'): Promise<void> {
  for (let n = 0; !stop.aborted; n += 1) {
    try {
      await client.query(`begin isolation level ${isolation}`);
      await client.query('select 1');
      await sleep(Math.random() * 40);
      const { rows } = await client.query<Seen>(BOTH_VIEWS[n % 2] ?? '');
      await client.query('commit');
      count(tally, rows[0]);
    } catch {
      tally.failed += 1;
      await client.query('rollback');
    }
  }
}

/** Night n has 100 + n rows: a reader knows by it what it ought to see. */
function count(tally: Tally, seen: Seen | undefined): void {
  tally.reads += 1;
  if (seen === undefined || seen.places === 0 || seen.records === null || seen.last === null) tally.empty += 1;
  else if (seen.first !== seen.last || seen.places !== seen.records || seen.places !== 100 + Number(seen.last)) tally.mixed += 1;
  else tally.nights.add(seen.last);
}
