import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { ReadersOrder } from './messages';
import { serverIdentity } from './server-loss';

/** A reader's connection, and which start of the server it belongs to. */
export interface Connection {
  readonly client: Client;
  readonly identity: string;
}

/** Longer than any wait that a promotion may cause; a reader that is held by a lock fails by name. */
const STATEMENT_TIMEOUT_MS = 30_000;
/** A server that does not answer at all, its own time-out included. */
const ANSWER_TIMEOUT_MS = 45_000;
const CONNECT_TIMEOUT_MS = 5_000;

/** @throws what pg throws; also the probe by which a process learns whether it can read at all */
export async function connect({ connection }: ReadersOrder): Promise<Connection> {
  const client = new Client({
    ...connection,
    application_name: 'meridian fault reader',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
  });
  // A connection that the server ends shows as the next read's failure.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('set max_parallel_workers_per_gather = 0; set jit = off');
    return { client, identity: await serverIdentity(client) };
  } catch (error) {
    void client.end().catch(() => undefined);
    throw error;
  }
}

/** Whether the pipeline has been promoted once. */
export async function viewsExist(client: Client, { views }: ReadersOrder): Promise<boolean> {
  const { rows } = await client.query<{ both: boolean }>('select to_regclass($1) is not null and to_regclass($2) is not null as both', [
    views.points,
    views.totals,
  ]);
  return rows[0]?.both === true;
}

/** A connection that is gone may never confirm its end. */
export async function close(connection: Connection | undefined): Promise<undefined> {
  const ended = connection?.client.end().catch(() => undefined);
  await Promise.race([ended, sleep(1_000, undefined, { ref: false })]);
  return undefined;
}
