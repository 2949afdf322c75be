import { type Kysely, sql } from 'kysely';
import type { Database } from '../schema';

/** One transaction of another client: ids of processes are used again, the three together are not. */
export interface OpenTransaction {
  readonly pid: number;
  readonly backendStart: string;
  readonly transactionStart: string;
  /** Who it is, for the one who must end it: never the text of a query. */
  readonly who: string;
}

/** An advisory lock that only Meridian takes, and only to share: "this session loads, indexes or vacuums, and reads no view". */
const MAINTENANCE = { classId: 0x6d657269, objectId: 1 } as const; // "meri"

/** Marks this session's transaction as maintenance, to its end: a promotion need not wait for its snapshot. */
export async function markTransaction(db: Kysely<Database>): Promise<void> {
  await sql`select pg_advisory_xact_lock_shared(${MAINTENANCE.classId}::integer, ${MAINTENANCE.objectId}::integer)`.execute(db);
}

/** The same for a session until `unmarkSession`: VACUUM allows no transaction around it. */
export async function markSession(db: Kysely<Database>): Promise<void> {
  await sql`select pg_advisory_lock_shared(${MAINTENANCE.classId}::integer, ${MAINTENANCE.objectId}::integer)`.execute(db);
}

export async function unmarkSession(db: Kysely<Database>): Promise<void> {
  await sql`select pg_advisory_unlock_shared(${MAINTENANCE.classId}::integer, ${MAINTENANCE.objectId}::integer)`.execute(db);
}

/** True when this role is shown the transactions of others; without it their columns are null and every check would pass. */
export async function maySeeOtherBackends(db: Kysely<Database>): Promise<boolean> {
  const { rows } = await sql<{ may: boolean }>`select pg_has_role(current_user, 'pg_read_all_stats', 'usage') as may`.execute(db);
  return rows[0]?.may === true;
}

/**
 * Other clients' transactions of this database that hold a snapshot at this moment, Meridian's own maintenance left out: the
 * index of another dataset's candidate may take longer than any promotion should wait, and reads no view.
 * Call it outside a transaction: inside one the statistics are frozen.
 * @param olderThan - RFC 3339; only those that began before
 */
export async function findSnapshotHolders(db: Kysely<Database>, olderThan: string = 'infinity'): Promise<readonly OpenTransaction[]> {
  const { rows } = await sql<OpenTransaction>`
    select pid, backend_start::text as "backendStart", xact_start::text as "transactionStart",
           format('pid %s (role %s, application "%s", in transaction since %s)', pid, usename, application_name, xact_start) as who
      from pg_stat_activity
     where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
       and backend_xmin is not null and xact_start is not null and xact_start < ${olderThan}::timestamptz
       and not exists (
         select from pg_locks l
          where l.pid = pg_stat_activity.pid and l.locktype = 'advisory' and l.granted and l.objsubid = 2
            and l.classid = ${MAINTENANCE.classId}::bigint::oid and l.objid = ${MAINTENANCE.objectId}::bigint::oid
            and l.database = (select oid from pg_database where datname = current_database()))`.execute(db);
  return rows;
}

/** Of the given transactions, those that have not ended. Call it outside a transaction. */
export async function stillOpen(db: Kysely<Database>, known: readonly OpenTransaction[]): Promise<readonly OpenTransaction[]> {
  const { rows } = await sql<{ pid: number }>`
    select a.pid
      from pg_stat_activity a
      join jsonb_to_recordset(${JSON.stringify(known)}::jsonb) as k(pid integer, "backendStart" text, "transactionStart" text)
        on k.pid = a.pid and k."backendStart"::timestamptz = a.backend_start and k."transactionStart"::timestamptz = a.xact_start`.execute(db);
  const open = new Set(rows.map((row) => row.pid));
  return known.filter((transaction) => open.has(transaction.pid));
}
