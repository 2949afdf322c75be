import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';

/** The bytes of a Parquet file with the rows of a query; `options` are those of DuckDB's `copy … to`. */
export async function parquetOf(query: string, options = '', before: readonly string[] = []): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), 'meridian-parquet-'));
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  try {
    const connection = await instance.connect();
    await connection.run("set TimeZone = 'UTC'");
    for (const sql of before) await connection.run(sql);
    const path = join(dir, 'file.parquet');
    await connection.run(`copy (${query}) to '${path}' (format parquet${options === '' ? '' : `, ${options}`})`);
    connection.closeSync();
    return await readFile(path);
  } finally {
    instance.closeSync();
    await rm(dir, { recursive: true, force: true });
  }
}
