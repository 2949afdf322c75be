import type { Client } from 'pg';

/** Refused, starting up, shutting down, or crashed: the server itself says that it is not there. */
const DOWN = new Set(['ECONNREFUSED', '57P02', '57P03']);
/** The connection broke; by whose doing, the server's identity tells once it can be reached again. */
const LOST = new Set(['ECONNRESET', 'EPIPE', 'ETIMEDOUT', '57P01']);

/**
 * What an error says of the server. `lost` alone does not excuse a failed read: somebody may have ended this one connection.
 * An error of pg's own about a connection that is gone has no code. Known by its shape: within jest, Node's are no `instanceof Error`.
 */
export function serverStateBy(error: unknown): 'up' | 'lost' | 'down' {
  const { code, message } = Object(error) as { readonly code?: unknown; readonly message?: unknown };
  if (typeof code !== 'string') return /connection terminated|not queryable|connection error|timeout/i.test(String(message)) ? 'lost' : 'up';
  if (DOWN.has(code)) return 'down';
  return LOST.has(code) || code.startsWith('08') ? 'lost' : 'up';
}

/**
 * Changes with each start of the server: its statistics begin anew after a crash that its main process survived.
 * Needs no privilege.
 */
export async function serverIdentity(client: Client): Promise<string> {
  const { rows } = await client.query<{ identity: string }>(
    `select pg_postmaster_start_time()::text || ' ' || coalesce(stats_reset::text, '') as identity from pg_stat_bgwriter`,
  );
  return rows[0]?.identity ?? '';
}
