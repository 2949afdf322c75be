import type { ColumnType, JSONColumnType } from 'kysely';
import type { CycleOutcome } from '../domain/cycle';
import type { ColumnSpec, PipelineSpec } from '../domain/pipeline-spec';
import type { RerunPlan } from '../domain/rerun';

/** Kysely's view of schema `meridian`; the migrations are the truth. int8 arrives as a number, see `openDatabase`. */
export interface Database {
  'meridian.cycle': CycleTable;
  'meridian.job': JobTable;
  'meridian.turn': TurnTable;
  'meridian.version': VersionTable;
  'meridian.version_day': VersionDayTable;
  'meridian.load_part': LoadPartTable;
  'meridian.promotion': PromotionTable;
  'meridian.promotion_hold': PromotionHoldTable;
  'meridian.notification': NotificationTable;
}

type Timestamp = ColumnType<Date, Date | string, Date | string>;
type DefaultedTimestamp = ColumnType<Date, Date | string | undefined, Date | string>;
type NullableTimestamp = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;

/** The columns that name one generation of a cycle. */
interface GenerationKey {
  readonly pipeline: string;
  readonly interval_end: Timestamp;
  readonly generation: number;
}

interface CycleTable extends GenerationKey {
  dataset: string;
  interval_start: Timestamp;
  workflow_id: string;
  run_id: string;
  spec: JSONColumnType<PipelineSpec>;
  /** Lets cycles of the dataset that do not have it take the turn first. */
  low_priority: ColumnType<boolean, boolean | undefined, boolean>;
  /** Of the turn that this generation held; null while it has not had one. */
  epoch: number | null;
  outcome: CycleOutcome | null;
  detail: string | null;
  counts: JSONColumnType<Readonly<Record<string, unknown>>, string | undefined, string>;
  /** What this generation was run again from; null for all others. */
  rerun: JSONColumnType<RerunPlan, string | undefined, string> | null;
  opened_at: DefaultedTimestamp;
  /** From here on nothing of this generation may be created, loaded or promoted. */
  sealed_at: NullableTimestamp;
  closed_at: NullableTimestamp;
}

interface JobTable extends GenerationKey {
  step: string;
  client_token: string;
  kind: 'emr' | 'glue';
  parameters_hash: string;
  external_id: string | null;
  state: string;
  recorded_at: DefaultedTimestamp;
  changed_at: DefaultedTimestamp;
}

interface TurnTable {
  dataset: string;
  epoch: number;
  holder_workflow_id: string | null;
  holder_run_id: string | null;
  taken_at: NullableTimestamp;
}

export type VersionState = 'loading' | 'loaded' | 'promoted' | 'retired' | 'dropped';

interface VersionTable extends GenerationKey {
  relation: string;
  version: number;
  table_name: string;
  state: VersionState;
  columns: JSONColumnType<readonly ColumnSpec[]>;
  /** The pipeline's promotion sequence when this candidate was made: what its promotion compares with. */
  base_sequence: number;
  rows: number | null;
  /** How a version of a relation that is refreshed by day was made; null for all others. */
  refresh: JSONColumnType<VersionRefresh, string | undefined, string> | null;
  created_at: DefaultedTimestamp;
  loaded_at: NullableTimestamp;
  promoted_at: NullableTimestamp;
  retired_at: NullableTimestamp;
  /** When the table was really gone; `dropped` without it means that the drop is still due. */
  dropped_at: NullableTimestamp;
}

/** Days of a version: all, those that the job made, and the version that the others were copied from. */
export interface VersionRefresh {
  readonly days: number;
  readonly rebuilt: number;
  readonly base?: number;
  readonly why?: string;
}

interface VersionDayTable {
  relation: string;
  version: number;
  /** YYYY-MM-DD */
  day: string;
  digest: string;
  rows: number;
  parquet: JSONColumnType<readonly string[], string, string>;
  built_at: Timestamp;
  copied_from: number | null;
}

interface LoadPartTable {
  relation: string;
  version: number;
  part_uri: string;
  etag: string;
  rows: number;
  size_bytes: number;
  loaded_at: DefaultedTimestamp;
}

interface PromotionTable extends GenerationKey {
  sequence: number;
  kind: 'cycle' | 'rollback';
  /** Relation → version that its view serves from here on. */
  relations: JSONColumnType<Readonly<Record<string, number>>>;
  epoch: number;
  promoted_by: string;
  promoted_at: Timestamp;
  metadata: JSONColumnType<Readonly<Record<string, unknown>>>;
  swap_ms: number | null;
  /** Of a rollback: what asked for it. */
  request_id: string | null;
}

interface PromotionHoldTable {
  readonly pipeline: string;
  /** Of the rollback that placed it. */
  readonly sequence: number;
  placed_by: string;
  reason: string;
  placed_at: Timestamp;
  released_at: NullableTimestamp;
  released_by: string | null;
}

interface NotificationTable {
  outcome_id: string;
  claims: number;
  claimed_at: Timestamp;
  confirmed_at: NullableTimestamp;
}
