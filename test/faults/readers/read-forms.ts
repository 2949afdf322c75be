import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import type { ReadersOrder } from './messages';
import type { Isolation, Length } from './report';

/** What one view says: a version is one night. */
export interface ViewSaid {
  readonly rows: number;
  readonly first: string | null;
  readonly last: string | null;
}

/** What a read saw of both views, in one statement or one snapshot. */
export interface Seen {
  readonly points: ViewSaid;
  readonly totals: ViewSaid & { readonly records: number | null };
}

/** One way to read both views; where several reads happen in one transaction of READ COMMITTED, each is a `Seen` of its own. */
export interface ReadForm {
  readonly name: string;
  read(session: ReadSession): Promise<readonly Seen[]>;
}

export interface ReadSession {
  readonly client: Client;
  /** Runs a statement and notes how long it took, less the sleep that it asks for. */
  timed<T>(statement: () => Promise<T>, sleepMs?: number): Promise<T>;
  /** Ends the pauses of a transaction early. */
  readonly stop: AbortSignal;
}

/** Pauses within short transactions: about as long as a small promotion from its snapshot wait to its swap. */
const LINGER_MS = 80;

/** The ways in which readers of one kind take turns. */
export function readForms(isolation: Isolation, length: Length, { views, byDay = false, options }: ReadersOrder): readonly ReadForm[] {
  const first = byDay ? 'max(night)' : 'min(night)';
  const pointsSql = `select count(*)::int as rows, ${first} as first, max(night) as last from ${views.points}`;
  const totalsSql = `select count(*)::int as rows, ${first} as first, max(night) as last, sum(records)::int as records from ${views.totals}`;
  // In both orders: the promotion locks the views in the order of their names.
  const both = [
    `select (select row_to_json(p) from (${pointsSql}) p) as points, (select row_to_json(t) from (${totalsSql}) t) as totals`,
    `select (select row_to_json(t) from (${totalsSql}) t) as totals, (select row_to_json(p) from (${pointsSql}) p) as points`,
  ] as const;
  const begin = `begin transaction isolation level ${isolation} read only`;

  const statement = (text: string, name?: string) => async ({ client, timed }: ReadSession) =>
    (await timed(() => client.query<Seen>(name === undefined ? { text } : { text, name }))).rows;
  /** The snapshot is taken first, and the views are read a little later: what a careless promotion shows empty. */
  const snapshotFirst = (reversed: boolean, pauseMs: () => number) => async ({ client, timed, stop }: ReadSession) => {
    await client.query(`${begin}; select 1`);
    await pause(pauseMs(), stop);
    const points = async () => only((await timed(() => client.query<Seen['points']>(pointsSql))).rows);
    const totals = async () => only((await timed(() => client.query<Seen['totals']>(totalsSql))).rows);
    const first = reversed ? await totals() : undefined;
    const seen = { points: await points(), totals: first ?? (await totals()) };
    await client.query('commit');
    return [seen];
  };
  const linger = () => Math.random() * LINGER_MS;

  if (length === 'short') {
    return isolation === 'read committed'
      ? [
          ...Array.from({ length: 3 }, () => [
            { name: 'statement', read: statement(both[0]) },
            { name: 'prepared statement', read: statement(both[0], 'points first') },
          ]).flat(),
          // Not half of them: against the promotion's order a reader and a swap can hold what the other wants, until the swap gives up.
          { name: 'statement, totals first', read: statement(both[1]) },
          { name: 'prepared statement, totals first', read: statement(both[1], 'totals first') },
        ]
      : [
          { name: 'snapshot, both views', read: snapshotFirst(false, () => 0) },
          { name: 'snapshot, both views in one message', read: oneMessage(begin, pointsSql, totalsSql) },
          { name: 'snapshot, totals first', read: snapshotFirst(true, () => 0) },
          // One in many lingers, else most of the readers would do nothing.
          ...Array.from({ length: 5 }, () => ({ name: 'snapshot, both views in one message', read: oneMessage(begin, pointsSql, totalsSql) })),
          { name: 'snapshot, pause, both views', read: snapshotFirst(false, linger) },
        ];
  }
  const { longMs } = options;
  const slow = (text: string) => text.replace('select ', `select pg_sleep(${longMs / 1_000})::text as slept, `);
  return isolation === 'read committed'
    ? [
        { name: 'long statement', read: async ({ client, timed }) => (await timed(() => client.query<Seen>(slow(both[0])), longMs)).rows },
        { name: 'statements of a long transaction', read: inLongTransaction(begin, both[1], longMs) },
      ]
    : [
        { name: 'old snapshot, both views', read: snapshotFirst(false, () => longMs) },
        { name: 'repeated in a long transaction', read: inLongTransaction(begin, both[1], longMs) },
      ];
}

/** The views stay locked against the promotion from the first statement on. */
function inLongTransaction(begin: string, text: string, longMs: number): ReadForm['read'] {
  return async ({ client, timed, stop }) => {
    await client.query(begin);
    const before = (await timed(() => client.query<Seen>(text))).rows;
    await pause(longMs, stop);
    const after = (await timed(() => client.query<Seen>(text))).rows;
    await client.query('commit');
    return [...before, ...after];
  };
}

function oneMessage(begin: string, pointsSql: string, totalsSql: string): ReadForm['read'] {
  return async ({ client, timed }) => {
    // pg answers several statements of one message with as many results, which its types do not say.
    const results = (await timed(() => client.query(`${begin}; ${pointsSql}; ${totalsSql}; commit`))) as unknown as readonly { readonly rows: readonly unknown[] }[];
    return [{ points: only(results[1]?.rows ?? []) as Seen['points'], totals: only(results[2]?.rows ?? []) as Seen['totals'] }];
  };
}

async function pause(pauseMs: number, stop: AbortSignal): Promise<void> {
  if (pauseMs > 0) await sleep(pauseMs, undefined, { signal: stop }).catch(() => undefined);
}

function only<T>(rows: readonly T[]): T {
  const [row] = rows;
  if (row === undefined) throw new Error('An aggregate answered without a row');
  return row;
}
