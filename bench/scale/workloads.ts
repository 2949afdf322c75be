import { NEW_TABLE_PARTITIONS, PARTITION_WRITE_UNITS, TABLE_WRITE_UNITS } from './service-limits';

/** What arrives in a night, and what is kept ready for readers. */
export interface Workload {
  readonly title: string;
  readonly recordsPerNight: number;
  /** Nights of which the costs are summed. */
  readonly nights: number;
  /** A packed raw record: mobile-geolocation's 4 MiB chunks hold some 150,000. */
  readonly rawBytesPerRecord: number;
  /** A Firehose buffer of 64 MiB, packed to an eighth. */
  readonly rawBytesPerObject: number;
  /** Records of a night that the ledger has not seen. */
  readonly newShare: number;
  /** Event dates that readers are served. */
  readonly servedDays: number;
  /** Of them, how many a night's records change. */
  readonly changedDays: number;
  /** Partitions that the ledger's table has by then. */
  readonly ledgerPartitions: number;
  /** Cores of the worker. */
  readonly workerCores: number;
  /** vCPUs of the Spark job's executors. */
  readonly executorVcpus: number;
  /** Parts that are copied into PostgreSQL at once. */
  readonly copyStreams: number;
}

const NIGHTLY = {
  rawBytesPerRecord: 28,
  rawBytesPerObject: 8 * 1024 ** 2,
  newShare: 0.9,
  servedDays: 30,
  changedDays: 4,
  workerCores: 2,
  copyStreams: 4,
} as const;

export const HUNDRED_MILLION_A_DAY: Workload = {
  ...NIGHTLY,
  title: '100 million records a day, 30 days served',
  recordsPerNight: 100e6,
  nights: 1,
  ledgerPartitions: NEW_TABLE_PARTITIONS,
  executorVcpus: 64,
};

/** 10 TB of raw objects that are there already, loaded by a backfill night after night. */
export const TEN_TERABYTES: Workload = {
  ...NIGHTLY,
  title: '10 TB of raw objects, 365 nights, loaded by a backfill, 7 days served',
  recordsPerNight: Math.round(10e12 / NIGHTLY.rawBytesPerRecord / 365),
  nights: 365,
  servedDays: 7,
  // On-demand tables split as they are used, as far as their quota.
  ledgerPartitions: TABLE_WRITE_UNITS.perSecond / PARTITION_WRITE_UNITS.perSecond,
  executorVcpus: 400,
};
