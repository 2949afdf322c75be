import { readFileSync } from 'node:fs';
import { Client, type PoolConfig } from 'pg';
import { isLoopback } from '../edge/loopback';

/** Modes of libpq in which the user expects a server that proves who it is, or at least encryption; there is no half of it here. */
const TLS_MODES = new Set(['require', 'verify-ca', 'verify-full']);

/**
 * TLS as libpq's `sslmode=verify-full` has it, for every host but loopback and Unix sockets, whatever PGSSLMODE says; on loopback where
 * PGSSLMODE asks for TLS. The CA is the file of PGSSLROOTCERT, else those that Node trusts.
 * @returns what a pool's configuration takes; empty where none is due
 * @throws Error for a connection string, which could switch the check off, or a CA file that cannot be read
 */
export function databaseTls(config: PoolConfig, env: NodeJS.ProcessEnv): Pick<PoolConfig, 'ssl'> {
  if (config.connectionString !== undefined) throw new Error('A connection string could switch off the check of the certificate: give host, port, user, database');
  const { host } = new Client(config); // as pg resolves it, from the configuration, PGHOST or its default; nothing is connected
  const local = isLoopback(host) || host.startsWith('/');
  if (local && !TLS_MODES.has(env['PGSSLMODE'] ?? '')) return {};
  const ca = rootCertificate(env['PGSSLROOTCERT']);
  return { ssl: { rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) } };
}

function rootCertificate(path: string | undefined): string | undefined {
  if (path === undefined || path === '' || path === 'system') return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`PGSSLROOTCERT: ${path} cannot be read (${String((error as NodeJS.ErrnoException).code)})`);
  }
}
