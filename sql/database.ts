import { Kysely, PostgresDialect, type PostgresPoolClient } from 'kysely';
import { Pool, type ClientBase, type PoolConfig, types } from 'pg';
import { databaseTls } from './database-tls';
import type { Database } from './schema';

const INT8_OID = 20;

/** The pool and its typed face; both use the same connections. */
export interface OpenDatabase {
  readonly pool: Pool;
  readonly db: Kysely<Database>;
  close(): Promise<void>;
}

/**
 * Opens a pool by `config`, else by the PG* environment variables. int8 is read as a number: counts, versions and epochs
 * stay far below 2^53, and a value beyond it throws instead of being rounded. A host that is not loopback must prove by its
 * certificate that it is that host.
 * @throws Error for a connection string or a root certificate that cannot be read
 */
export function openDatabase(config: PoolConfig = {}): OpenDatabase {
  const pool = new Pool({
    application_name: 'meridian',
    max: 12,
    connectionTimeoutMillis: 10_000, // a database that is down is an error to retry, not a wait
    keepAlive: true,
    ...config,
    ...databaseTls(config, process.env),
    types: {
      getTypeParser: ((oid: number, format?: 'text' | 'binary'): unknown =>
        oid === INT8_OID && format !== 'binary' ? parseInt8 : types.getTypeParser(oid, format)) as typeof types.getTypeParser,
    },
  });
  // A connection that the server ends would otherwise end the process, idle or at work: the query at hand, or the next one, reports it.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) });
  return {
    pool,
    db,
    async close() {
      await db.destroy();
      // Kysely ends the pool only once it has used it; left open, its idle connections keep the process for ten seconds.
      if (!pool.ended) await pool.end();
    },
  };
}

/** The typed face of one connection that the caller holds and releases: for transactions that also copy, and for settings. */
export function onClient(client: ClientBase): Kysely<Database> {
  const borrowed: PostgresPoolClient = { query: client.query.bind(client), release: () => undefined };
  return new Kysely<Database>({
    dialect: new PostgresDialect({ pool: { connect: async () => borrowed, end: async () => undefined, options: {} } }),
  });
}

function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`int8 value ${text} does not fit a number`);
  return value;
}
