import { ApplicationFailure } from '@temporalio/common';
import { type Kysely, sql } from 'kysely';
import { manifestDiff, viewDiff } from '../domain/column-diff';
import { type CycleRef, generationPrefix } from '../domain/cycle';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec, RelationSpec } from '../domain/pipeline-spec';
import { createTable, dropTable, readLiveRelation } from '../sql/queries/candidate-tables';
import { sealGeneration, shareGeneration } from '../sql/queries/cycles';
import { shareTurn } from '../sql/queries/turns';
import { forgetDays } from '../sql/queries/version-days';
import {
  findPipelineOfRelation,
  findVersionOf,
  findVersionsOf,
  insertVersion,
  lockVersion,
  markDropped,
  markGone,
  type VersionRow,
} from '../sql/queries/versions';
import type { Database, VersionState } from '../sql/schema';

import { candidateGone, turnLost } from './candidate-failures';

export interface MakeCandidateInput {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  readonly epoch: number;
  readonly relation: RelationSpec;
  readonly manifestColumns: readonly { readonly name: string; readonly type: string }[];
}

const NUMBER_RACES = 20;
/** States of a version that no reader has been given. */
export const CANDIDATE: readonly VersionState[] = ['loading', 'loaded'];
const LOCK_TIMEOUT = '10s'; // a part's copy that is being undone may still hold its lock

/**
 * The candidate of a generation, with its table, both made in one transaction under the turn's epoch. Idempotent by (cycle,
 * generation, relation).
 */
export async function makeCandidate(db: Kysely<Database>, input: MakeCandidateInput): Promise<VersionRow> {
  const { cycle, relation } = input;
  await checkContract(db, input);
  for (let race = 0; race < NUMBER_RACES; race += 1) {
    const existing = await findVersionOf(db, cycle, relation.name);
    if (existing?.state === 'dropped') throw candidateGone(existing, existing.state);
    if (existing !== undefined) return existing;
    const made = await db.transaction().execute(async (trx) => {
      await expectLiveGeneration(trx, input);
      const version = await insertVersion(trx, cycle, relation.name, relation.columns);
      if (version !== undefined) await createTable(trx, version.table, relation.columns);
      return version;
    });
    if (made !== undefined) return made;
  }
  throw ApplicationFailure.create({
    message: `No version number of ${relation.name} could be had for ${generationPrefix(cycle)}: ${NUMBER_RACES} others came first; this will be tried again`,
    type: FailureType.Throttled,
  });
}

/** Gives a generation up, then drops what it made. Idempotent; a drop that fails is taken up again by the next call. */
export async function discardCandidates(db: Kysely<Database>, cycle: CycleRef): Promise<readonly string[]> {
  await sealGeneration(db, cycle);
  const versions = await findVersionsOf(db, cycle);
  const served = versions.find((version) => version.state === 'promoted' || version.state === 'retired');
  if (served !== undefined) {
    throw ApplicationFailure.nonRetryable(
      `${served.table} of ${generationPrefix(cycle)} is ${served.state}: a version that was served is no candidate to drop`,
      FailureType.CandidateInvalid,
    );
  }
  for (const version of versions) await dropVersion(db, version, CANDIDATE, LOCK_TIMEOUT);
  return versions.map((version) => version.table);
}

/**
 * Drops a version: `dropped` first, so that a late loader finds that and not a missing table, then the table. Idempotent.
 * @param from - states in which it may go; in any other it stays
 * @param lockTimeout - for each of both steps; what fails by it (55P03) can be called again
 * @returns false when it stays
 */
export async function dropVersion(
  db: Kysely<Database>,
  version: VersionRow,
  from: readonly VersionState[],
  lockTimeout: string,
): Promise<boolean> {
  const due = await db.transaction().execute(async (trx) => {
    await setLockTimeout(trx, lockTimeout);
    const state = await lockVersion(trx, version);
    if (state === 'dropped') return true;
    return await markDropped(trx, version, from);
  });
  if (!due) return false;
  await db.transaction().execute(async (trx) => {
    await setLockTimeout(trx, lockTimeout);
    await dropTable(trx, version.table);
    await forgetDays(trx, version);
    await markGone(trx, version);
  });
  return true;
}

/** Bounds every wait for a lock to the end of the transaction. */
export async function setLockTimeout(db: Kysely<Database>, lockTimeout: string): Promise<void> {
  await sql`select set_config('lock_timeout', ${lockTimeout}, true)`.execute(db);
}

/** Both rows stay locked until the table is committed: neither a seal nor a take-over of the turn can come in between. */
async function expectLiveGeneration(trx: Kysely<Database>, { cycle, epoch }: MakeCandidateInput): Promise<void> {
  const generation = await shareGeneration(trx, cycle);
  if (generation === undefined || generation.sealed) throw turnLost(`${generationPrefix(cycle)} was given up`);
  const turn = await shareTurn(trx, cycle.dataset);
  if (turn?.holder === undefined || turn.epoch !== epoch) {
    throw turnLost(
      `${generationPrefix(cycle)} has epoch ${epoch} of dataset "${cycle.dataset}", whose turn ${turn?.holder === undefined ? 'is free' : `has ${turn.holder.workflowId}`} at epoch ${turn?.epoch}`,
    );
  }
}

/**
 * Holds what the job wrote against the declaration, and the declaration against the view that is there. Reads only.
 * @throws `IncompatibleColumns` with a diff, `InvalidPipeline`, `Misconfigured`, none of them retryable
 */
export async function checkContract(
  db: Kysely<Database>,
  { spec, relation, manifestColumns }: Pick<MakeCandidateInput, 'spec' | 'relation' | 'manifestColumns'>,
): Promise<void> {
  const owner = await findPipelineOfRelation(db, relation.name);
  if (owner !== undefined && owner !== spec.name) {
    throw ApplicationFailure.nonRetryable(
      `Relation "${relation.name}" belongs to pipeline "${owner}": name this one of "${spec.name}" otherwise`,
      FailureType.InvalidPipeline,
    );
  }
  refuse(manifestDiff(relation, manifestColumns), `The job's output for "${relation.name}" does not have the declared columns`, 'mend the job or the declaration');
  const live = await readLiveRelation(db, relation.view);
  if (live === undefined) return;
  if (live.kind !== 'v') {
    throw ApplicationFailure.nonRetryable(
      `"${relation.view}" is declared as the view of "${relation.name}", but it exists and is no view [relkind=${live.kind}]: rename one of them`,
      FailureType.Misconfigured,
    );
  }
  refuse(
    viewDiff(relation.columns, live.columns),
    `The view "${relation.view}" cannot take the declared columns of "${relation.name}"`,
    'columns can be appended; for anything else declare a new view name',
  );
}

function refuse(diff: readonly string[], what: string, next: string): void {
  if (diff.length === 0) return;
  throw ApplicationFailure.nonRetryable(`${what}; ${next}:\n${diff.join('\n')}`, FailureType.IncompatibleColumns);
}
