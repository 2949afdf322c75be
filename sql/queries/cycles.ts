import { type Kysely, sql } from 'kysely';
import type { CycleOutcome, CyclePriority, CycleRef } from '../../domain/cycle';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { RerunPlan } from '../../domain/rerun';
import type { Database } from '../schema';
import { generationKey, toCycleRef } from './generation';

export interface NewGeneration {
  readonly spec: PipelineSpec;
  readonly intervalStart: string;
  readonly intervalEnd: string;
  readonly workflowId: string;
  readonly runId: string;
  /** Absent: as a nightly. */
  readonly priority?: CyclePriority;
}

/** The generation after the last; undefined when this run has one already, or another run took the number meanwhile. */
export async function insertGeneration(db: Kysely<Database>, input: NewGeneration): Promise<CycleRef | undefined> {
  const row = await db
    .insertInto('meridian.cycle')
    .columns(['pipeline', 'interval_end', 'generation', 'dataset', 'interval_start', 'workflow_id', 'run_id', 'spec', 'low_priority'])
    .expression((eb) =>
      eb
        .selectFrom('meridian.cycle')
        .where('pipeline', '=', input.spec.name)
        .where('interval_end', '=', new Date(input.intervalEnd))
        .select(({ fn, val, cast }) => [
          cast<string>(val(input.spec.name), 'text').as('pipeline'),
          cast<Date>(val(input.intervalEnd), 'timestamptz').as('interval_end'),
          sql<number>`coalesce(${fn.max('generation')}, 0) + 1`.as('generation'),
          cast<string>(val(input.spec.dataset), 'text').as('dataset'),
          cast<Date>(val(input.intervalStart), 'timestamptz').as('interval_start'),
          cast<string>(val(input.workflowId), 'text').as('workflow_id'),
          cast<string>(val(input.runId), 'text').as('run_id'),
          cast<string>(val(JSON.stringify(input.spec)), 'jsonb').as('spec'),
          cast<boolean>(val(input.priority === 'low'), 'boolean').as('low_priority'),
        ]),
    )
    .onConflict((conflict) => conflict.doNothing())
    .returning(['pipeline', 'dataset', 'interval_start', 'interval_end', 'generation'])
    .executeTakeFirst();
  return row === undefined ? undefined : toCycleRef(row);
}

/** The generation that a workflow run opened. */
export async function findGenerationOfRun(db: Kysely<Database>, input: NewGeneration): Promise<CycleRef | undefined> {
  const row = await db
    .selectFrom('meridian.cycle')
    .select(['pipeline', 'dataset', 'interval_start', 'interval_end', 'generation'])
    .where('pipeline', '=', input.spec.name)
    .where('interval_end', '=', new Date(input.intervalEnd))
    .where('run_id', '=', input.runId)
    .executeTakeFirst();
  return row === undefined ? undefined : toCycleRef(row);
}

/** Notes on the record that this generation holds, or held, the turn under `epoch`. */
export async function recordEpoch(db: Kysely<Database>, cycle: CycleRef, epoch: number): Promise<void> {
  await db.updateTable('meridian.cycle').set({ epoch }).where(generationIs(cycle)).execute();
}

/** Of the dataset: held the turn before `epoch`, and neither published, voided nor set aside since. Oldest first. */
export async function findUnsettled(db: Kysely<Database>, dataset: string, epoch: number): Promise<CycleRef | undefined> {
  const row = await db
    .selectFrom('meridian.cycle')
    .select(['pipeline', 'dataset', 'interval_start', 'interval_end', 'generation'])
    .where('dataset', '=', dataset)
    .where('epoch', '<', epoch)
    .where('closed_at', 'is', null)
    .orderBy('epoch')
    .limit(1)
    .executeTakeFirst();
  return row === undefined ? undefined : toCycleRef(row);
}

export interface Waiting {
  readonly cycle: CycleRef;
  readonly workflowId: string;
  readonly runId: string;
  readonly lowPriority: boolean;
}

/** Of the dataset: opened, and neither closed nor ever given the turn. They wait for it, or their execution ended while they did. */
export async function findWaiting(db: Kysely<Database>, dataset: string): Promise<readonly Waiting[]> {
  const rows = await db
    .selectFrom('meridian.cycle')
    .select(['pipeline', 'dataset', 'interval_start', 'interval_end', 'generation', 'workflow_id', 'run_id', 'low_priority'])
    .where('dataset', '=', dataset)
    .where('epoch', 'is', null)
    .where('closed_at', 'is', null)
    .orderBy('opened_at')
    .execute();
  return rows.map((row) => ({ cycle: toCycleRef(row), workflowId: row.workflow_id, runId: row.run_id, lowPriority: row.low_priority }));
}

/** Whether the generation lets those of normal priority have the turn first. */
export async function isLowPriority(db: Kysely<Database>, cycle: CycleRef): Promise<boolean> {
  const row = await db.selectFrom('meridian.cycle').select('low_priority').where(generationIs(cycle)).executeTakeFirst();
  return row?.low_priority ?? false;
}

/** Of the dataset: opened, neither closed nor promoted yet. What it has stored may still be voided. */
export async function findInFlight(db: Kysely<Database>, dataset: string): Promise<readonly CycleRef[]> {
  const rows = await db
    .selectFrom('meridian.cycle as c')
    .select(['c.pipeline', 'c.dataset', 'c.interval_start', 'c.interval_end', 'c.generation'])
    .where('c.dataset', '=', dataset)
    .where('c.closed_at', 'is', null)
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('meridian.promotion as p')
            .select('p.sequence')
            .where('p.kind', '=', 'cycle')
            .whereRef('p.pipeline', '=', 'c.pipeline')
            .whereRef('p.interval_end', '=', 'c.interval_end')
            .whereRef('p.generation', '=', 'c.generation'),
        ),
      ),
    )
    .execute();
  return rows.map(toCycleRef);
}

/** Gives a generation up: what still runs of it may create, load and promote nothing from here on. Idempotent. */
export async function sealGeneration(db: Kysely<Database>, cycle: CycleRef): Promise<void> {
  await db
    .updateTable('meridian.cycle')
    .set({ sealed_at: sql<Date>`clock_timestamp()` })
    .where(generationIs(cycle))
    .where('sealed_at', 'is', null)
    .execute();
}

/** Locks a generation's record to the end of the transaction: against a seal that would come in between. */
export async function shareGeneration(db: Kysely<Database>, cycle: CycleRef): Promise<{ readonly sealed: boolean } | undefined> {
  const row = await db
    .selectFrom('meridian.cycle')
    .select('sealed_at')
    .where(generationIs(cycle))
    .forShare()
    .executeTakeFirst();
  return row === undefined ? undefined : { sealed: row.sealed_at !== null };
}

/** Adds counts to the record, by stage. Idempotent by key: the last value counts. */
export async function mergeCounts(db: Kysely<Database>, cycle: CycleRef, counts: Readonly<Record<string, unknown>>): Promise<void> {
  await db
    .updateTable('meridian.cycle')
    .set({ counts: sql<string>`counts || ${JSON.stringify(counts)}::jsonb` })
    .where(generationIs(cycle))
    .execute();
}

/** Notes what a generation is run again from. Idempotent: a generation has one plan. */
export async function recordRerun(db: Kysely<Database>, cycle: CycleRef, plan: RerunPlan): Promise<void> {
  await db
    .updateTable('meridian.cycle')
    .set({ rerun: JSON.stringify(plan) })
    .where(generationIs(cycle))
    .execute();
}

export interface Closing {
  readonly cycle: CycleRef;
  readonly outcome: CycleOutcome;
  readonly detail: string;
  readonly counts: Readonly<Record<string, unknown>>;
}

/** Ends a generation; the first outcome stands. */
export async function closeGeneration(db: Kysely<Database>, { cycle, outcome, detail, counts }: Closing): Promise<void> {
  await db
    .updateTable('meridian.cycle')
    .set({
      outcome,
      detail,
      counts: sql<string>`counts || ${JSON.stringify(counts)}::jsonb`,
      closed_at: sql<Date>`clock_timestamp()`,
    })
    .where(generationIs(cycle))
    .where('closed_at', 'is', null)
    .execute();
}

export interface CycleRecord {
  readonly cycle: CycleRef;
  readonly workflowId: string;
  readonly runId: string;
  readonly epoch: number | null;
  readonly outcome: CycleOutcome | null;
  readonly detail: string | null;
  readonly counts: Readonly<Record<string, unknown>>;
  readonly rerun: RerunPlan | null;
  readonly openedAt: string;
  readonly closedAt: string | null;
}

/**
 * Cycles with all their generations, newest interval first.
 * @param filter - of one pipeline, of one interval of it; at most `limit`
 */
export async function listCycles(
  db: Kysely<Database>,
  filter: { readonly pipeline?: string; readonly intervalEnd?: string; readonly limit?: number },
): Promise<readonly CycleRecord[]> {
  const rows = await db
    .selectFrom('meridian.cycle')
    .select(['pipeline', 'dataset', 'interval_start', 'interval_end', 'generation', 'workflow_id', 'run_id', 'epoch'])
    .select(['outcome', 'detail', 'counts', 'rerun', 'opened_at', 'closed_at'])
    .$if(filter.pipeline !== undefined, (query) => query.where('pipeline', '=', filter.pipeline ?? ''))
    .$if(filter.intervalEnd !== undefined, (query) => query.where('interval_end', '=', new Date(filter.intervalEnd ?? 0)))
    .orderBy('interval_end', 'desc')
    .orderBy('pipeline')
    .orderBy('generation', 'desc')
    .limit(filter.limit ?? 100)
    .execute();
  return rows.map((row) => ({
    cycle: toCycleRef(row),
    workflowId: row.workflow_id,
    runId: row.run_id,
    epoch: row.epoch,
    outcome: row.outcome,
    detail: row.detail,
    counts: row.counts,
    rerun: row.rerun,
    openedAt: row.opened_at.toISOString(),
    closedAt: row.closed_at?.toISOString() ?? null,
  }));
}

function generationIs(cycle: CycleRef) {
  const key = generationKey(cycle);
  return sql<boolean>`pipeline = ${key.pipeline} and interval_end = ${key.interval_end}::timestamptz and generation = ${key.generation}`;
}
