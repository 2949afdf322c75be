/** The peer: DuckDB over local files, the same query without quarantine, ledger, lineage or S3, in a process of its own. */
import { rmSync } from 'node:fs';
import { DuckDBInstance } from '@duckdb/node-api';
import { eachOrder, taskOfChild } from '../../engines/child';
import type { BatchShape } from './records';

export interface PlainTask {
  readonly memoryMb: number;
  readonly spillDir: string;
}

export interface PlainOrder {
  readonly files: readonly string[];
  readonly format: BatchShape['format'];
  /** Folders that earlier orders wrote and that are still within the window. */
  readonly earlier: readonly string[];
  readonly out: string;
}
export interface PlainAnswer {
  readonly stored: number;
}

const { memoryMb, spillDir } = taskOfChild<PlainTask>();
const list = (paths: readonly string[]) => `[${paths.map((path) => `'${path}'`).join(', ')}]`;

eachOrder<PlainOrder>(async ({ files, format, earlier, out }) => {
  rmSync(out, { recursive: true, force: true });
  const instance = await DuckDBInstance.create(':memory:', { threads: '2', memory_limit: `${memoryMb}MiB`, temp_directory: spillDir, preserve_insertion_order: 'false' });
  const connection = await instance.connect();
  await connection.run("set TimeZone = 'UTC'");
  const columns = "{timestamp: 'BIGINT', icao24: 'VARCHAR', longitude: 'DOUBLE', latitude: 'DOUBLE', groundspeed: 'DOUBLE', altitude: 'DOUBLE'}";
  const source = format === 'parquet' ? `read_parquet(${list(files)}, filename = true, file_row_number = true)` : `read_json(${list(files)}, format = 'newline_delimited', columns = ${columns}, filename = true)`;
  const position = format === 'parquet' ? 'filename, file_row_number' : 'filename';
  const seen = earlier.length === 0 ? '' : `anti join (select event_time, longitude, latitude from read_parquet(${list(earlier.map((folder) => `${folder}/*/*.parquet`))}, hive_partitioning = false)) using (event_time, longitude, latitude)`;
  const written = await connection.runAndReadAll(`copy (
    select * from (
      select make_timestamptz(timestamp * 1000) as event_time, icao24 as device_id, longitude, latitude, groundspeed as speed, altitude,
        (timestamp // 86400000)::integer as event_day
      from ${source}
      where timestamp is not null and abs(longitude) <= 180 and abs(latitude) <= 90
      qualify row_number() over (partition by timestamp, longitude, latitude order by ${position}) = 1
    ) ${seen} order by event_day, event_time
  ) to '${out}' (format parquet, compression zstd, partition_by (event_day))`);
  const [[stored] = []] = written.getRowsJson();
  connection.closeSync();
  instance.closeSync();
  return { stored: Number(stored) };
});
