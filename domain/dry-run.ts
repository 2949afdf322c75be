import type { CycleRef } from './cycle';
import type { QuarantineCounts, RecordCounts, S3Pointer } from './documents';
import type { CycleReport, RuleOutcome, ServedRelation } from './progress';

/** How a relation would change, in counts: what may pass through Temporal. */
export interface RelationChange {
  readonly relation: string;
  /** The view that readers use. */
  readonly view: string;
  /** The version that it served when the two were compared; absent: nothing was promoted yet. */
  readonly liveVersion?: number;
  readonly before: number;
  readonly after: number;
  /** By key. `changed` have the same key and another value in a column that is compared. */
  readonly added: number;
  readonly removed: number;
  readonly changed: number;
  /** Rows that differ in a column, for each column in which any does. */
  readonly changedColumns: Readonly<Record<string, number>>;
}

/** A row, or a part of one, as PostgreSQL writes it in JSON; geometry as EWKT, long texts cut. */
export type SampledRow = Readonly<Record<string, unknown>>;

/** Measures of a column on one side; which there are goes by its type. */
export interface ColumnMetrics {
  readonly name: string;
  readonly nulls: number;
  /** Of instants, dates and numbers, as text. */
  readonly min?: string;
  readonly max?: string;
  /** `BOX(west south,east north)` of a geometry. */
  readonly box?: string;
}

/** A relation's difference with samples: record data, so it stays in S3. */
export interface RelationDiff extends RelationChange {
  /** Columns that the live version does not have yet. */
  readonly newColumns: readonly string[];
  readonly samples: {
    readonly added: readonly SampledRow[];
    readonly removed: readonly SampledRow[];
    /** Key, and the columns that differ, before and after. */
    readonly changed: readonly { readonly key: SampledRow; readonly before: SampledRow; readonly after: SampledRow }[];
  };
  readonly metrics: { readonly before?: readonly ColumnMetrics[]; readonly after: readonly ColumnMetrics[] };
}

/** What the dry run's stages counted and the gate found. */
export interface DryRunFindings {
  readonly records: RecordCounts;
  readonly transform: { readonly inputRows: number; readonly quarantined: QuarantineCounts };
  readonly rules: readonly RuleOutcome[];
}

/** `diff.json` of a dry run. */
export interface DiffDocument extends DryRunFindings {
  readonly cycle: CycleRef;
  readonly relations: readonly RelationDiff[];
}

/** What `dryRun` returns, and answers to the query `report` once it is known: counts and references only. */
export interface DryRunReport extends Omit<CycleReport, 'served' | 'promotion'> {
  /** The shadow tables, and the views on them where the gate passed. */
  readonly shadow: readonly ServedRelation[];
  /** Absent where the cycle came to nothing that could be compared. */
  readonly diff?: { readonly document: S3Pointer; readonly relations: readonly RelationChange[] };
  /** When the shadow is dropped, RFC 3339; absent where it is gone already. */
  readonly keptUntil?: string;
}
