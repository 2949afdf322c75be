import type { Client } from 'pg';

/** One read as a user of the views makes it, and what it came to. */
export interface Read {
  /** Epoch milliseconds. */
  readonly startedAtMs: number;
  /** Longest statement of it, pauses of the reader's own left out. */
  readonly longestMs: number;
  readonly verdict: 'good' | 'failed' | 'empty' | 'mixed';
  /** Why, unless good. */
  readonly detail?: string;
}

/** How a reader reads: both views in one statement, or one after the other in a transaction. */
export const READ_KINDS = ['statement', 'read committed', 'repeatable read'] as const;
export type ReadKind = (typeof READ_KINDS)[number];

/** What each view says of the same thing. */
interface PositionsSide {
  readonly rows: string;
  readonly zoned: string;
  readonly first: Date | null;
  readonly last: Date | null;
}
interface ActivitySide {
  readonly rows: string;
  readonly records: string | null;
  readonly first: Date | null;
  readonly last: Date | null;
}

const POSITIONS = `select count(*) as rows, count(zone) as zoned,
  date_trunc('hour', min(event_time) filter (where zone is not null), 'UTC') as first,
  date_trunc('hour', max(event_time) filter (where zone is not null), 'UTC') as last from vw_positions`;
const ACTIVITY = 'select count(*) as rows, sum(records) as records, min(hour) as first, max(hour) as last from vw_zone_activity';
const BOTH = `select (select row_to_json(p) from (${POSITIONS}) p) as positions, (select row_to_json(a) from (${ACTIVITY}) a) as activity`;

/** Longer than any read of a view that is served; a reader that is held by a lock fails by name. */
const STATEMENT_TIMEOUT_MS = 30_000;

/** Makes a connection ready to read. */
export async function prepareReader(client: Client): Promise<void> {
  await client.query(`set statement_timeout = ${STATEMENT_TIMEOUT_MS}; set max_parallel_workers_per_gather = 0; set jit = off`);
}

/** Reads both views once. Never throws: a fault is the read's verdict. */
export async function readOnce(client: Client, kind: ReadKind, pause: () => Promise<unknown>): Promise<Read> {
  const startedAtMs = Date.now();
  let longestMs = 0;
  const timed = async <T>(query: () => Promise<T>): Promise<T> => {
    const before = performance.now();
    try {
      return await query();
    } finally {
      longestMs = Math.max(longestMs, performance.now() - before);
    }
  };
  try {
    const sides = kind === 'statement' ? await oneStatement(client, timed) : await oneTransaction(client, kind, timed, pause);
    const fault = faultOf(sides.positions, sides.activity);
    return { startedAtMs, longestMs, verdict: fault?.verdict ?? 'good', ...(fault === undefined ? {} : { detail: fault.detail }) };
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    return { startedAtMs, longestMs, verdict: 'failed', detail: error instanceof Error ? error.message : String(error) };
  }
}

type Timed = <T>(query: () => Promise<T>) => Promise<T>;
interface Sides {
  readonly positions: PositionsSide;
  readonly activity: ActivitySide;
}

async function oneStatement(client: Client, timed: Timed): Promise<Sides> {
  const { rows } = await timed(() => client.query<{ positions: PositionsSide; activity: ActivitySide }>(BOTH));
  return only(rows);
}

/** Under REPEATABLE READ the snapshot is taken first and the views are read after a pause: what a careless promotion shows empty. */
async function oneTransaction(client: Client, kind: ReadKind, timed: Timed, pause: () => Promise<unknown>): Promise<Sides> {
  await client.query(`begin transaction isolation level ${kind} read only`);
  await client.query('select now()');
  await pause();
  const positions = only((await timed(() => client.query<PositionsSide>(POSITIONS))).rows);
  await pause();
  const activity = only((await timed(() => client.query<ActivitySide>(ACTIVITY))).rows);
  await client.query('commit');
  return { positions, activity };
}

/**
 * Whether the two sides are one version: they name the same first and last hour with a zone, and the activity counts each zoned
 * position at least once. Two nights differ in the hours that they reach, so views of different nights do not pass.
 */
export function faultOf(positions: PositionsSide, activity: ActivitySide): { readonly verdict: 'empty' | 'mixed'; readonly detail: string } | undefined {
  if (Number(positions.rows) === 0 || Number(activity.rows) === 0) {
    return { verdict: 'empty', detail: `vw_positions ${positions.rows} rows, vw_zone_activity ${activity.rows} rows` };
  }
  const hours = [positions, activity].map(({ first, last }) => `${instant(first)} to ${instant(last)}`);
  if (hours[0] !== hours[1] || Number(activity.records) < Number(positions.zoned)) {
    return { verdict: 'mixed', detail: `positions with a zone ${positions.zoned}, ${hours[0]}; activity of ${activity.records} records, ${hours[1]}` };
  }
  return undefined;
}

function instant(moment: Date | string | null): string {
  return moment === null ? 'never' : new Date(moment).toISOString();
}

function only<T>(rows: readonly T[]): T {
  const [row] = rows;
  if (row === undefined) throw new Error('An aggregate answered without a row');
  return row;
}
