import { PARTITION_BURST_SECONDS, PARTITION_WRITE_UNITS, TABLE_WRITE_UNITS } from './service-limits';
import { TokenBucket } from './token-bucket';

export interface DedupLoad {
  readonly records: number;
  readonly recordsPerChunk: number;
  /** CPU seconds to judge, compare and store a million records. */
  readonly cpuSecondsPerMillion: number;
  /** Cores that one chunk keeps busy. */
  readonly cores: number;
  readonly writeUnitsPerMillion: number;
  /** Which part of a chunk's write units goes to each of the table's partitions; together 1. */
  readonly partitionShares: readonly number[];
}

export interface SimulatedDedup {
  readonly seconds: number;
  /** Of them, spent on computing. */
  readonly computingSeconds: number;
  readonly writeUnits: number;
  /** Of the fullest partition, over the whole stage. */
  readonly unitsPerSecond: number;
}

/**
 * A cycle's dedup against DynamoDB's meters, chunk by chunk as `dedupBatch` does them: compute, put the segments, commit, and only then the
 * next chunk, since chunks commit in manifest order. A partition gives 1,000 units a second and what it saved of the last five minutes.
 */
export function simulateDedup(load: DedupLoad): SimulatedDedup {
  const burst = PARTITION_WRITE_UNITS.perSecond * PARTITION_BURST_SECONDS;
  const partitions = load.partitionShares.map((share) => ({ share, bucket: new TokenBucket(PARTITION_WRITE_UNITS.perSecond, burst) }));
  const table = new TokenBucket(TABLE_WRITE_UNITS.perSecond, TABLE_WRITE_UNITS.perSecond);
  let now = 0;
  let computing = 0;
  for (let left = load.records; left > 0; left -= load.recordsPerChunk) {
    const records = Math.min(left, load.recordsPerChunk);
    const compute = (records / 1e6) * (load.cpuSecondsPerMillion / load.cores);
    computing += compute;
    now += compute;
    const units = (records / 1e6) * load.writeUnitsPerMillion;
    const granted = partitions.map(({ share, bucket }) => bucket.take(units * share, now));
    now = Math.max(table.take(units, now), ...granted);
  }
  const fullest = Math.max(...partitions.map(({ bucket }) => bucket.taken));
  return { seconds: now, computingSeconds: computing, writeUnits: table.taken, unitsPerSecond: fullest / now };
}
