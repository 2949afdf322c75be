import type { HoldSpec } from './decision';

/** A pipeline's declaration: plain, serialisable data. `validatePipeline` says every fault of one at once. */
export interface PipelineSpec {
  /** `[a-z][a-z0-9-]{1,31}`; names the cycles. */
  readonly name: string;
  readonly description: string;
  /** `[a-z][a-z0-9_]{1,31}`; raw records of one kind. Cycles of one dataset take turns. */
  readonly dataset: string;
  /** Length of the data interval; divides 24 or is a multiple of it. With a cron, no two ticks are further apart. */
  readonly intervalHours: number;
  /** When cycles start by themselves, see `schedules plan`; absent: only when somebody, or something else, starts them. */
  readonly schedule?: ScheduleSpec;
  /** When objects are loaded as they arrive, see docs/new-pipeline.md; absent: nightly, that is, by the schedule alone. */
  readonly ingest?: IngestSpec;
  readonly raw: RawSpec;
  readonly record: RecordSpec;
  readonly dedup: DedupSpec;
  readonly transform: TransformSpec;
  readonly quality: QualitySpec;
  /** Promoted together, in name order, in one statement. */
  readonly relations: readonly RelationSpec[];
  readonly promotion: PromotionSpec;
  /**
   * A step that has not been heard of for this long is given up, and starts on another worker: 30 unless declared. Shorter finds a
   * killed worker sooner, and takes a worker that is only slow for a dead one more often.
   */
  readonly heartbeatSeconds?: number;
}

/** A Temporal Schedule as it should be. A tick starts the cycle of the interval that ends there; one of `cron` and `everyHours` is set. */
export interface ScheduleSpec {
  /** Five fields: minute, hour, day of the month, month, day of the week. Its ticks end the intervals, see domain/calendar.ts. */
  readonly cron?: string;
  /** `intervalHours` again, counted in UTC from 1970 on. */
  readonly everyHours?: number;
  /** IANA name; `UTC` unless declared. The cron is read in it: a nightly interval has 23 or 25 hours when its clocks change. */
  readonly timeZone?: string;
  /** What a tick does while the cycle of an earlier one still runs. */
  readonly overlap: ScheduleOverlap;
  /** Ticks that were missed (no server ran) are made up if they are at most this old. */
  readonly catchupWindowHours: number;
  /** A cycle starts up to this much after its tick, so that many do not start at once: 0 unless declared. Its interval stays the tick's. */
  readonly jitterSeconds?: number;
  /** The Schedule pauses itself when a cycle fails or times out; a rejected, blocked or cancelled one has not. Ticks that wait then are dropped. */
  readonly pauseOnFailure?: boolean;
}
/** `buffer-all` waits its turn, `buffer-one` does so if none waits yet, `skip` is not made up. */
export const SCHEDULE_OVERLAPS = ['skip', 'buffer-one', 'buffer-all'] as const;
export type ScheduleOverlap = (typeof SCHEDULE_OVERLAPS)[number];

/** When arriving objects make a cycle start by themselves. The limits stand while the mode is switched. */
export interface IngestSpec {
  readonly mode: IngestMode;
  /** A cycle starts when so many objects wait, */
  readonly maxObjects: number;
  /** or so many raw bytes: 64 to 128 MiB, */
  readonly maxBytes: number;
  /** or when the oldest has waited for so long: 60 to 900 seconds. */
  readonly maxAgeSeconds: number;
  /** How often the raw bucket is listed for objects of which no event told. */
  readonly sweepMinutes: number;
}
/** `nightly`: the schedule starts cycles. `on-object`: arriving objects do. `both`: the nightly takes what is left. */
export const INGEST_MODES = ['nightly', 'on-object', 'both'] as const;
export type IngestMode = (typeof INGEST_MODES)[number];

export interface RawSpec {
  /** Key prefix in the raw bucket, ends in `/`; followed by `YYYY/MM/DD/HH/` of arrival, as Firehose writes. */
  readonly prefix: string;
  /**
   * `json-lines`: one JSON object a line; `.gz` keys are gunzipped. `parquet`: a row a record, columns named as the fields' sources;
   * a row is judged as the JSON line of the same values would be, see docs/decisions/0011.
   */
  readonly format: RawFormat;
}
export const RAW_FORMATS = ['json-lines', 'parquet'] as const;
export type RawFormat = (typeof RAW_FORMATS)[number];

export interface RecordSpec {
  readonly fields: readonly FieldSpec[];
  /** Names of fields above. */
  readonly eventTime: string;
  readonly longitude: string;
  readonly latitude: string;
}

export interface FieldSpec {
  /** Column name in storage, `[a-z][a-z0-9_]{0,62}`. */
  readonly name: string;
  /** Key in the raw JSON object, or the Parquet column's exact name. */
  readonly source: string;
  /** `timestamp-ms`: integer epoch milliseconds, stored as a UTC timestamp. */
  readonly type: FieldType;
}
export type FieldType = 'timestamp-ms' | 'double' | 'bigint' | 'text' | 'boolean';

export interface DedupSpec {
  /** Fields that make a record the same; must contain the event time, so that a key determines its event date. */
  readonly key: readonly string[];
  /** A record may be this much older than the start of its object's arrival hour; an object may be found this long after. */
  readonly latenessDays: number;
  /** Kept in the ledger beyond the lateness (DynamoDB TTL = event date + lateness + margin). */
  readonly marginDays: number;
  /** A record may be this far ahead of the end of its object's arrival hour: devices' clocks drift. */
  readonly futureToleranceMinutes: number;
  /**
   * Raw bytes that make one chunk, so chosen that a chunk has at least 50,000 records where there are as many; with `spark` what one
   * Spark run takes: a night, or as much as is not to be done again when it fails.
   */
  readonly chunkBytes: number;
  /** What compares a chunk with the ledger: DuckDB within the worker unless declared; `spark`: a run on EMR Serverless, see docs/decisions/0031. */
  readonly engine?: DedupEngine;
}
export const DEDUP_ENGINES = ['duckdb', 'spark'] as const;
export type DedupEngine = (typeof DEDUP_ENGINES)[number];
/** What a worker's disk holds, and what Spark's executors take in one run. */
export const MOST_CHUNK_BYTES: Readonly<Record<DedupEngine, number>> = { duckdb: 1024 ** 3, spark: 1024 ** 4 };

export interface TransformSpec {
  /** Script in `jobs/`, `[a-z][a-z0-9_]*`. */
  readonly job: string;
  /** Reference data by name: keys in the artifacts bucket. */
  readonly references: Readonly<Record<string, string>>;
  /** Served: this many days of event dates before the interval's end; undefined serves all. */
  readonly servedDays?: number;
  /** spark-submit `--conf` pairs; keys `spark.[A-Za-z0-9.]+`. */
  readonly sparkConf: Readonly<Record<string, string>>;
  readonly timeoutMinutes: number;
}

export interface QualitySpec {
  /** The relation whose rows the rules see. */
  readonly relation: string;
  /** DQDL rules over the rows that this cycle adds. */
  readonly added: readonly string[];
  /** DQDL rules over all that would be served. */
  readonly served: readonly string[];
  /** A cycle that fails a rule waits for a person's decision; absent: it is rejected at once. */
  readonly hold?: HoldSpec;
}

export interface RelationSpec {
  /** `[a-z][a-z0-9_]{0,47}`; tables are `<name>_v<N>`. */
  readonly name: string;
  /** The stable view, `[a-z][a-z0-9_]{0,57}`. */
  readonly view: string;
  /** What the job calls it, where that is not its name. */
  readonly output?: string;
  readonly columns: readonly ColumnSpec[];
  /** Columns that are unique together. */
  readonly key: readonly string[];
  readonly indexes: readonly IndexSpec[];
  /**
   * A column, `timestamptz` or `date`, whose UTC day is the event date of the records that a row is made from, and of no others:
   * then a cycle makes only the days anew that changed, see docs/decisions/0030. Declared by all relations of a pipeline or by none.
   */
  readonly refreshBy?: string;
  /** False: an empty candidate is refused. */
  readonly mayBeEmpty: boolean;
}

/** What the job calls a relation: where its output stands, and what its manifest says of it. */
export function outputName(relation: Pick<RelationSpec, 'name' | 'output'>): string {
  return relation.output ?? relation.name;
}

/** Where a served record came from: columns that dedup adds to every record, and jobs hand through. */
export const LINEAGE_COLUMNS = ['cycle_id', 'generation', 'raw_object', 'raw_version', 'raw_line'] as const;

export interface ColumnSpec {
  readonly name: string;
  readonly type: ColumnType;
}
export const COLUMN_TYPES = [
  'timestamptz',
  'date',
  'text',
  'bigint',
  'integer',
  'double precision',
  'boolean',
  'geometry(Point,4326)',
  'geometry(Geometry,4326)',
] as const;
export type ColumnType = (typeof COLUMN_TYPES)[number];

export interface IndexSpec {
  readonly columns: readonly string[];
  readonly method: 'btree' | 'gist' | 'brin';
}

export interface PromotionSpec {
  /** Previous versions kept for rollback. */
  readonly keepVersions: number;
  /** How long to wait for readers whose snapshot is older than the load. */
  readonly snapshotWaitMinutes: number;
  /** How long to keep trying for the views' locks, 200 ms at a time. */
  readonly swapWaitMinutes: number;
}
