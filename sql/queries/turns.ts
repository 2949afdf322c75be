import { type Kysely, sql } from 'kysely';
import type { Database } from '../schema';

export interface Turn {
  readonly dataset: string;
  readonly epoch: number;
  readonly holder: { readonly workflowId: string; readonly runId: string } | undefined;
}

/** Makes sure that the dataset has a turn to take; a new one is free, at epoch 0. */
export async function ensureTurn(db: Kysely<Database>, dataset: string): Promise<void> {
  await db
    .insertInto('meridian.turn')
    .values({ dataset, epoch: 0 })
    .onConflict((conflict) => conflict.column('dataset').doNothing())
    .execute();
}

export async function readTurn(db: Kysely<Database>, dataset: string): Promise<Turn | undefined> {
  const row = await db.selectFrom('meridian.turn').selectAll().where('dataset', '=', dataset).executeTakeFirst();
  return row === undefined ? undefined : toTurn(row);
}

/** Reads the turn and keeps it as it is to the end of the transaction. */
export async function shareTurn(db: Kysely<Database>, dataset: string): Promise<Turn | undefined> {
  const row = await db.selectFrom('meridian.turn').selectAll().where('dataset', '=', dataset).forShare().executeTakeFirst();
  return row === undefined ? undefined : toTurn(row);
}

/**
 * Takes the turn with the next epoch, if it still is as `seen`.
 * @returns the new epoch; undefined when somebody else was quicker
 */
export async function swapTurn(
  db: Kysely<Database>,
  seen: Turn,
  holder: { readonly workflowId: string; readonly runId: string },
): Promise<number | undefined> {
  const row = await db
    .updateTable('meridian.turn')
    .set({
      epoch: seen.epoch + 1,
      holder_workflow_id: holder.workflowId,
      holder_run_id: holder.runId,
      taken_at: sql<Date>`clock_timestamp()`,
    })
    .where('dataset', '=', seen.dataset)
    .where('epoch', '=', seen.epoch)
    .where('holder_run_id', seen.holder === undefined ? 'is' : '=', seen.holder?.runId ?? null)
    .returning('epoch')
    .executeTakeFirst();
  return row?.epoch;
}

/** Frees the turn if `epoch` still holds it; the epoch stays, so that whoever is next gets a higher one. */
export async function freeTurn(db: Kysely<Database>, dataset: string, epoch: number): Promise<void> {
  await db
    .updateTable('meridian.turn')
    .set({ holder_workflow_id: null, holder_run_id: null, taken_at: null })
    .where('dataset', '=', dataset)
    .where('epoch', '=', epoch)
    .execute();
}

function toTurn(row: {
  readonly dataset: string;
  readonly epoch: number;
  readonly holder_workflow_id: string | null;
  readonly holder_run_id: string | null;
}): Turn {
  const { dataset, epoch, holder_workflow_id: workflowId, holder_run_id: runId } = row;
  return { dataset, epoch, holder: workflowId === null || runId === null ? undefined : { workflowId, runId } };
}
