import { escapeIdentifier, type Pool, type PoolClient } from 'pg';
import type { PipelineSpec } from '../../domain/pipeline-spec';

const LOCK_TIMEOUT_MS = 5_000;

/**
 * Drops the pipeline's views and the tables of all its versions, and forgets its versions and promotions; cycles that were left open
 * are closed. One transaction. What somebody built on the views is theirs: then nothing is dropped, and the error says what it is.
 * @returns how many versions there were
 */
export async function resetServing(pool: Pool, spec: PipelineSpec): Promise<number> {
  const client = await pool.connect();
  try {
    await client.query(`begin; set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
    const versions = await dropAndForget(client, spec);
    await client.query('commit');
    return versions;
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    const { message, detail = '' } = error as Error & { readonly detail?: string };
    throw new Error(`The demo's views cannot be reset: ${message}. ${detail}`.trim(), { cause: error });
  } finally {
    client.release();
  }
}

async function dropAndForget(client: PoolClient, spec: PipelineSpec): Promise<number> {
  const of = [spec.name];
  const tables = await client.query<{ table_name: string }>('select table_name from meridian.version where pipeline = $1', of);
  for (const { view } of spec.relations) await client.query(`drop view if exists public.${escapeIdentifier(view)} restrict`);
  for (const { table_name: table } of tables.rows) await client.query(`drop table if exists public.${escapeIdentifier(table)} restrict`);
  await client.query(
    `delete from meridian.load_part p using meridian.version v
      where v.relation = p.relation and v.version = p.version and v.pipeline = $1`,
    of,
  );
  await client.query('delete from meridian.promotion where pipeline = $1', of);
  await client.query('delete from meridian.version where pipeline = $1', of);
  await client.query(
    `update meridian.cycle set outcome = 'cancelled', detail = 'reset by the demo', closed_at = clock_timestamp(),
            sealed_at = coalesce(sealed_at, clock_timestamp())
      where pipeline = $1 and closed_at is null`,
    of,
  );
  return tables.rows.length;
}
