import { Context } from '@temporalio/activity';
import type { Pool, PoolClient } from 'pg';

const HEARTBEAT_MS = 5_000; // a few within the shortest heartbeat timeout of long activities, 30 s

/** Heartbeats while `body` runs and says nothing itself. */
export async function heartbeating<T>(details: () => unknown, body: () => Promise<T>): Promise<T> {
  const context = Context.current();
  context.heartbeat(details());
  const timer = setInterval(() => context.heartbeat(details()), HEARTBEAT_MS);
  try {
    return await body();
  } finally {
    clearInterval(timer);
  }
}

/**
 * Lends a connection to `body`; when the activity is cancelled meanwhile, its running statement is cancelled in the server.
 * The connection is not used again after an error, since nobody knows what state it is in.
 * @throws CancelledFailure when the activity was cancelled
 */
export async function withCancellableClient<T>(pool: Pool, body: (client: PoolClient) => Promise<T>): Promise<T> {
  const { cancellationSignal } = Context.current();
  cancellationSignal.throwIfAborted();
  const client = await pool.connect();
  // A connection that breaks between two statements is reported by the next one.
  client.on('error', ignore);
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  const cancel = () => void pool.query('select pg_cancel_backend($1)', [rows[0]?.pid]).catch(ignore);
  cancellationSignal.addEventListener('abort', cancel, { once: true });
  let failed = true;
  try {
    const result = await body(client);
    failed = false;
    return result;
  } catch (error) {
    cancellationSignal.throwIfAborted();
    throw error;
  } finally {
    cancellationSignal.removeEventListener('abort', cancel);
    client.off('error', ignore);
    // A cancel that is on its way must not hit whoever would use the connection next.
    client.release(failed || cancellationSignal.aborted);
  }
}

function ignore(): void {}
