import { type Kysely, sql } from 'kysely';
import { type IntervalState, intervalState } from '../../domain/backfill';
import type { CycleOutcome } from '../../domain/cycle';
import { toRfc3339 } from '../../domain/data-interval';
import type { Database } from '../schema';

/** Of the intervals that end within `(from, to]` and have ever run: what the record says of each, by its end. */
export async function readIntervalStates(
  db: Kysely<Database>,
  { pipeline, from, to }: { readonly pipeline: string; readonly from: string; readonly to: string },
): Promise<ReadonlyMap<string, IntervalState>> {
  const rows = await db
    .selectFrom('meridian.cycle')
    .select(['interval_end', sql<(CycleOutcome | null)[]>`array_agg(outcome order by generation)`.as('outcomes')])
    .where('pipeline', '=', pipeline)
    .where('interval_end', '>', new Date(from))
    .where('interval_end', '<=', new Date(to))
    .groupBy('interval_end')
    .execute();
  return new Map(rows.map((row) => [toRfc3339(row.interval_end), intervalState(row.outcomes)]));
}

/** How long the newest promoted cycles of a pipeline took from opening to closing: their median in milliseconds, undefined without any. */
export async function medianCycleMs(db: Kysely<Database>, pipeline: string): Promise<number | undefined> {
  const { rows } = await sql<{ readonly ms: number | null }>`
    select percentile_cont(0.5) within group (order by extract(epoch from closed_at - opened_at) * 1000)::float8 as ms
    from (select opened_at, closed_at from meridian.cycle where pipeline = ${pipeline} and outcome = 'promoted' order by closed_at desc limit 100) as newest`.execute(db);
  return rows[0]?.ms ?? undefined;
}
