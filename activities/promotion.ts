import { Context, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { type Kysely, sql } from 'kysely';
import type { Pool } from 'pg';
import { type CycleRef, cycleId, generationPrefix } from '../domain/cycle';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { onClient } from '../sql/database';
import { markSession, unmarkSession } from '../sql/queries/backends';
import { vacuumTable } from '../sql/queries/candidate-tables';
import { sealGeneration, shareGeneration } from '../sql/queries/cycles';
import { findPromotion, findVersionsToDrop, type Promotion } from '../sql/queries/promotions';
import { findVersionOf, type VersionKey } from '../sql/queries/versions';
import type { Database } from '../sql/schema';
import { CANDIDATE, dropVersion } from './candidate';
import { candidateGone, sqlState } from './candidate-failures';
import { relationOf } from './job-relation';
import { heartbeating, withCancellableClient } from './long-statement';
import { type SnapshotWait, waitForSnapshots } from './snapshot-wait';
import { trySwap } from './swap';
import { swapWithin } from './swap-within';

export interface PromotionDependencies {
  readonly db: Kysely<Database>;
  /** The pool below `db`: the swap sets a time limit on a connection of its own. */
  readonly pool: Pool;
}

export interface PromotionInput {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  /** Every relation of the pipeline, with the version that its view is to serve. */
  readonly versions: readonly VersionKey[];
}

export type PromotionResult =
  | { readonly outcome: 'promoted'; readonly sequence: number; readonly promotedMs: number; readonly attempts: number }
  /** `held`: by a rollback, not by readers. */
  | { readonly outcome: 'blocked'; readonly reason: string; readonly attempts: number; readonly held?: true };

const DROP_LOCK_TIMEOUT = '2s';
const LOCK_NOT_AVAILABLE = '55P03';
const DEPENDENT_OBJECTS = '2BP01';

/** Activities that make a candidate the version that readers see, and see the old ones off. */
export function createPromotionActivities({ db, pool }: PromotionDependencies) {
  return {
    /**
     * Waits until every transaction whose snapshot may be older than the load has ended: such a reader would see the new
     * table empty. Call it after the last load. Idempotent: a retry goes on waiting for the same transactions.
     * @throws `DatabasePrivilegeMissing`, not retryable, without pg_read_all_stats
     */
    async awaitSnapshots({ cycle, spec }: PromotionInput): Promise<SnapshotWait> {
      const result = await waitForSnapshots(db, spec.promotion.snapshotWaitMinutes * 60_000);
      log.info('Older snapshots', { cycle: generationPrefix(cycle), ...result });
      return result;
    },

    /**
     * VACUUM (FREEZE, ANALYZE) of each candidate; after the snapshot wait, since under an older snapshot it would set
     * nothing all-visible. Idempotent.
     */
    async vacuumCandidates({ cycle, versions }: PromotionInput): Promise<void> {
      for (const { relation } of versions) {
        const candidate = await findVersionOf(db, cycle, relation);
        if (candidate === undefined || candidate.state === 'dropped') throw candidateGone({ relation, version: candidate?.version ?? 0 }, candidate?.state);
        await heartbeating(
          () => ({ vacuuming: candidate.table }),
          () =>
            withCancellableClient(pool, async (client) => {
              const db = onClient(client);
              await markSession(db);
              await vacuumTable(db, candidate.table);
              await unmarkSession(db);
            }),
        );
      }
    },

    /**
     * Repoints every view of the pipeline in one statement of at most 200 ms, tried again with jitter for as long as the
     * pipeline declares. Idempotent by (cycle, generation): a promotion whose acknowledgement was lost is found in the ledger.
     * @throws `PromotionSuperseded`, `TurnLost`, `CandidateGone`, `Misconfigured`, none of them retryable
     */
    async promote(
      input: PromotionInput & { readonly epoch: number; readonly metadata: Readonly<Record<string, string>> },
    ): Promise<PromotionResult> {
      const { cycle, spec, versions, epoch, metadata } = input;
      const { workflowExecution } = Context.current().info;
      const swap = {
        cycle,
        targets: targetsOf(spec, versions),
        epoch,
        promotedBy: workflowExecution?.workflowId ?? 'unknown',
        metadata: { ...metadata, cycle: cycleId(cycle) },
      };
      const { swapped, attempts } = await swapWithin(spec.promotion.swapWaitMinutes, () => trySwap(pool, swap));
      if (swapped.done) {
        log.info('Promoted', { cycle: generationPrefix(cycle), sequence: swapped.sequence, promotedMs: swapped.promotedMs, attempts });
        return { outcome: 'promoted', sequence: swapped.sequence, promotedMs: swapped.promotedMs, attempts };
      }
      const late = await findPromotionForSure(db, cycle);
      if (late !== undefined) return { outcome: 'promoted', sequence: late.sequence, promotedMs: late.swapMs, attempts };
      return { outcome: 'blocked', reason: swapped.reason, attempts, ...(swapped.held === true ? { held: true } : {}) };
    },

    /**
     * The promotion of this generation, for good: it is given up first, so that after the answer "none" no attempt that still
     * runs can make one, and its chunks can be voided. Idempotent by (cycle, generation).
     */
    async settlePromotion({ cycle }: { readonly cycle: CycleRef }): Promise<Promotion | undefined> {
      await sealGeneration(db, cycle);
      return await findPromotion(db, cycle);
    },

    /**
     * Drops the versions that are no longer kept, and candidates that a later promotion has overtaken. Idempotent; what is
     * locked, or has something of somebody's built on it, is left for the next promotion.
     */
    async retireVersions({ spec }: { readonly spec: PipelineSpec }): Promise<{ readonly dropped: readonly string[]; readonly pending: readonly string[] }> {
      const dropped: string[] = [];
      const pending: string[] = [];
      await heartbeating(
        () => ({ dropped: dropped.length, pending: pending.length }),
        async () => {
          for (const { name } of spec.relations) {
            for (const version of await findVersionsToDrop(db, spec.name, name, spec.promotion.keepVersions)) {
              try {
                if (await dropVersion(db, version, ['retired', ...CANDIDATE], DROP_LOCK_TIMEOUT)) dropped.push(version.table);
              } catch (error) {
                const state = sqlState(error);
                if (state !== LOCK_NOT_AVAILABLE && state !== DEPENDENT_OBJECTS) throw error;
                log.warn('Old version could not be dropped yet', { table: version.table, code: state });
                pending.push(version.table);
              }
            }
          }
        },
      );
      return { dropped, pending };
    },
  };
}
export type PromotionActivities = ReturnType<typeof createPromotionActivities>;

/** The ledger's answer once no swap of this generation is in flight; an error of the database is a reason to try again. */
async function findPromotionForSure(db: Kysely<Database>, cycle: CycleRef): Promise<Promotion | undefined> {
  return await db.transaction().execute(async (trx) => {
    await sql`set local lock_timeout = '10s'`.execute(trx);
    await shareGeneration(trx, cycle);
    return await findPromotion(trx, cycle);
  });
}

/** @throws `InvalidPipeline` when a relation of the pipeline is missing: all of them are promoted together */
function targetsOf(spec: PipelineSpec, versions: readonly VersionKey[]) {
  const missing = spec.relations.filter((relation) => !versions.some((version) => version.relation === relation.name));
  if (missing.length > 0) {
    throw ApplicationFailure.nonRetryable(
      `Pipeline "${spec.name}" promotes its relations together, and no version was given of ${missing.map((each) => each.name).join(', ')}`,
      FailureType.InvalidPipeline,
    );
  }
  return versions.map(({ relation, version }) => ({ relation, version, view: relationOf(spec, relation).view }));
}
