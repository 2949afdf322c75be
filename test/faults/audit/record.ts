import type { CycleRef } from '../../../domain/cycle';
import { toRfc3339 } from '../../../domain/data-interval';
import type { RecordCounts } from '../../../domain/documents';
import type { AuditSubject } from './subject';

/** One row of `meridian.cycle`. */
export interface Generation {
  readonly cycle: CycleRef;
  readonly workflowId: string;
  readonly runId: string;
  readonly epoch: number | null;
  readonly outcome: string | null;
  /** As the cycle reported them; absent where it ended before. */
  readonly records: RecordCounts | undefined;
  /** What it was run again from, where it was. */
  readonly rerun: { readonly from: string; readonly data?: { readonly generation: number } } | undefined;
  /** What a person said while its gate held it. */
  readonly decision: { readonly decision: string; readonly by: string } | undefined;
  /** Its gate held it. */
  readonly held: boolean;
}

export interface JobRow {
  readonly generation: string;
  readonly step: string;
  readonly kind: string;
  readonly clientToken: string;
  readonly externalId: string | null;
  readonly state: string;
}

export interface VersionRow {
  readonly relation: string;
  readonly version: number;
  readonly table: string;
  readonly generation: string;
  readonly state: string;
  readonly rows: number | null;
  readonly baseSequence: number;
  readonly promotedAt: Date | null;
}

export interface PromotionRow {
  readonly sequence: number;
  readonly kind: string;
  readonly generation: string;
  readonly intervalEnd: string;
  readonly relations: Readonly<Record<string, number>>;
  readonly epoch: number;
  readonly promotedAt: Date;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What schema `meridian` holds of the pipeline, by statements of the auditor's own. Generations are named by `nameOf`. */
export interface DurableRecord {
  readonly generations: readonly (Generation & { readonly name: string })[];
  readonly jobs: readonly JobRow[];
  readonly versions: readonly VersionRow[];
  /** By sequence. */
  readonly promotions: readonly PromotionRow[];
  readonly turn: { readonly epoch: number; readonly holder: string | null } | undefined;
}

/** `2024-01-02T00:00:00Z generation 1`. */
export function nameOf(intervalEnd: string, generation: number): string {
  return `${intervalEnd} generation ${generation}`;
}

export async function readRecord({ spec, access: { pool } }: AuditSubject): Promise<DurableRecord> {
  const cycles = await pool.query<{
    dataset: string;
    interval_start: Date;
    interval_end: Date;
    generation: number;
    workflow_id: string;
    run_id: string;
    epoch: number | null;
    outcome: string | null;
    records: RecordCounts | null;
    rerun: NonNullable<Generation['rerun']> | null;
    decision: NonNullable<Generation['decision']> | null;
    held: boolean;
  }>(
    `select dataset, interval_start, interval_end, generation, workflow_id, run_id, epoch::integer, outcome, counts -> 'records' as records, rerun, counts -> 'decision' as decision, counts ? 'held' as held
       from meridian.cycle where pipeline = $1 order by interval_end, generation`,
    [spec.name],
  );
  const jobs = await pool.query<GenerationKey & { step: string; kind: string; client_token: string; external_id: string | null; state: string }>(
    'select interval_end, generation, step, kind, client_token, external_id, state from meridian.job where pipeline = $1 order by recorded_at',
    [spec.name],
  );
  const versions = await pool.query<
    GenerationKey & { relation: string; version: number; table_name: string; state: string; rows: number | null; base: number; promoted_at: Date | null }
  >(
    `select interval_end, generation, relation, version, table_name, state, rows::integer, base_sequence::integer as base, promoted_at
       from meridian.version where pipeline = $1 order by relation, version`,
    [spec.name],
  );
  const promotions = await pool.query<
    GenerationKey & { sequence: number; kind: string; relations: Record<string, number>; epoch: number; promoted_at: Date; metadata: Record<string, unknown> }
  >(
    `select interval_end, generation, sequence::integer, kind, relations, epoch::integer, promoted_at, metadata
       from meridian.promotion where pipeline = $1 order by sequence`,
    [spec.name],
  );
  const turns = await pool.query<{ epoch: number; holder: string | null }>(
    'select epoch::integer, holder_workflow_id as holder from meridian.turn where dataset = $1',
    [spec.dataset],
  );
  return {
    generations: cycles.rows.map((row) => {
      const intervalEnd = toRfc3339(row.interval_end);
      return {
        name: nameOf(intervalEnd, row.generation),
        cycle: { pipeline: spec.name, dataset: row.dataset, intervalStart: toRfc3339(row.interval_start), intervalEnd, generation: row.generation },
        workflowId: row.workflow_id,
        runId: row.run_id,
        epoch: row.epoch,
        outcome: row.outcome,
        records: row.records ?? undefined,
        rerun: row.rerun ?? undefined,
        decision: row.decision ?? undefined,
        held: row.held,
      };
    }),
    jobs: jobs.rows.map((row) => ({
      generation: generationOf(row),
      step: row.step,
      kind: row.kind,
      clientToken: row.client_token,
      externalId: row.external_id,
      state: row.state,
    })),
    versions: versions.rows.map((row) => ({
      generation: generationOf(row),
      relation: row.relation,
      version: row.version,
      table: row.table_name,
      state: row.state,
      rows: row.rows,
      baseSequence: row.base,
      promotedAt: row.promoted_at,
    })),
    promotions: promotions.rows.map((row) => ({
      generation: generationOf(row),
      intervalEnd: toRfc3339(row.interval_end),
      sequence: row.sequence,
      kind: row.kind,
      relations: row.relations,
      epoch: row.epoch,
      promotedAt: row.promoted_at,
      metadata: row.metadata,
    })),
    turn: turns.rows[0],
  };
}

interface GenerationKey {
  readonly interval_end: Date;
  readonly generation: number;
}

function generationOf(row: GenerationKey): string {
  return nameOf(toRfc3339(row.interval_end), row.generation);
}
