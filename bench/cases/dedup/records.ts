import { gzipSync } from 'node:zlib';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { parquetOf } from '../../../test/dedup/support/parquet';

/** Which records an object holds: positions are made from their number alone, so that the same number is the same record. */
export interface RecordRange {
  readonly from: number;
  readonly to: number;
}

/** How a batch looks on its way in. */
export interface BatchShape {
  readonly format: 'parquet' | 'json-lines';
  /** Event dates, the last of them `lastDay`. */
  readonly days: number;
  /** RFC 3339 date. */
  readonly lastDay: string;
}

const DAY_MS = 86_400_000;
/** Latitudes in micro-degrees that a number is spread over; a record's number is below it. */
const PLACES = 170_000_000;

/** Rows as devices send them: 2654435761 is prime, so that no two numbers share a latitude and none is near its neighbour. */
export function recordsSql({ from, to }: RecordRange, { days, lastDay }: BatchShape): string {
  const firstMs = Date.parse(`${lastDay}T00:00:00Z`) - (days - 1) * DAY_MS;
  return `select (${firstMs} + (i % ${days}) * ${DAY_MS} + (i * 7919) % ${DAY_MS})::bigint as timestamp,
    lower(hex(i % 5000 + 1048576)) as icao24,
    round(((i * 40503) % 360000000) / 1e6 - 180, 6)::double as longitude,
    round(((i * 2654435761) % ${PLACES}) / 1e6 - 85, 6)::double as latitude,
    (100 + i % 400)::double as groundspeed, (i % 40000)::double as altitude
    from range(${from}, ${to}) t(i)`;
}

/** One object's bytes; `ranges` one after another. */
export async function objectOf(ranges: readonly RecordRange[], shape: BatchShape, scratch: string): Promise<Buffer> {
  const query = ranges.map((range) => recordsSql(range, shape)).join(' union all ');
  return shape.format === 'parquet' ? parquetOf(query, 'compression snappy') : jsonLinesOf(query, scratch);
}

/** The rows of a query as gzipped JSON lines. */
export async function jsonLinesOf(query: string, scratch: string): Promise<Buffer> {
  const dir = await mkdtemp(join(scratch, 'json-'));
  const instance = await DuckDBInstance.create(':memory:', { threads: '2' });
  try {
    const connection = await instance.connect();
    const path = join(dir, 'lines');
    await connection.run(`copy (${query}) to '${path}' (format json)`);
    connection.closeSync();
    return gzipSync(await readFile(path), { level: 1 });
  } finally {
    instance.closeSync();
    await rm(dir, { recursive: true, force: true });
  }
}
