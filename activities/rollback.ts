import { Context, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Kysely } from 'kysely';
import type { Pool } from 'pg';
import { signatureFaults } from '../domain/decision';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec } from '../domain/pipeline-spec';
import type { RollbackPlan, RollbackReport, RollbackRequest } from '../domain/rollback';
import { planRollback } from '../sql/queries/plan-rollback';
import { releaseHold } from '../sql/queries/promotions';
import type { Database } from '../sql/schema';
import { waitForSnapshots } from './snapshot-wait';
import { tryRollback } from './swap';
import { swapWithin } from './swap-within';

export interface RollbackDependencies {
  readonly db: Kysely<Database>;
  /** The pool below `db`: the swap sets a time limit on a connection of its own. */
  readonly pool: Pool;
}

export interface PlannedRollbackInput {
  readonly spec: PipelineSpec;
  readonly plan: RollbackPlan;
}

/** Activities that bring back versions which readers had before. */
export function createRollbackActivities({ db, pool }: RollbackDependencies) {
  return {
    /**
     * What a rollback would bring back. Idempotent: reads only.
     * @throws `RollbackRefused`, not retryable, with what can be served instead
     */
    async planRollback({ spec, request }: { readonly spec: PipelineSpec; readonly request: RollbackRequest }): Promise<RollbackPlan> {
      const names = spec.relations.map((each) => each.name);
      const relation = request.relation ?? names[0] ?? '';
      const faults = [...signatureFaults(request), ...(names.includes(relation) ? [] : [`it has no relation "${relation}", only ${names.join(', ')}`])];
      if (faults.length > 0) throw refused(spec.name, faults.join('; '));
      const planned = await planRollback(db, spec, relation, request.to);
      if ('refused' in planned) throw refused(spec.name, planned.refused);
      return planned.plan;
    },

    /**
     * Waits for readers whose snapshot is older than the tables that come back: they would see them empty. Mostly there are none, since
     * the tables were loaded long ago. Idempotent: a retry goes on waiting for the same transactions.
     * @throws `RollbackRefused`, not retryable, when they outlast the pipeline's declared wait
     */
    async awaitOlderReaders({ spec, plan }: PlannedRollbackInput): Promise<{ readonly waitedMs: number }> {
      const wait = await waitForSnapshots(db, spec.promotion.snapshotWaitMinutes * 60_000, plan.loadedAt);
      if (wait.outcome === 'clear') return { waitedMs: wait.waitedMs };
      throw refused(spec.name, `readers that began before its tables were loaded would see them empty: end ${wait.blockedBy.join(', ')}`);
    },

    /**
     * Repoints every view of the pipeline to the planned versions, as a promotion does. Idempotent by `requestId`: a rollback whose
     * acknowledgement was lost is found in the ledger.
     * @throws `RollbackRefused`, `IncompatibleColumns`, `Misconfigured`, none of them retryable
     */
    async rollback({ spec, plan, request, requestId }: PlannedRollbackInput & { readonly request: RollbackRequest; readonly requestId: string }): Promise<RollbackReport> {
      const { by, reason, hold = true } = request;
      const { swapped, attempts } = await swapWithin(spec.promotion.swapWaitMinutes, () => tryRollback(pool, { ...plan, requestId, by, reason, hold }));
      if (!swapped.done) throw refused(spec.name, `${swapped.reason} for ${spec.promotion.swapWaitMinutes} minutes. Roll back again`);
      log.info('Rolled back', { pipeline: spec.name, sequence: swapped.sequence, restored: plan.restored, promotedMs: swapped.promotedMs, attempts });
      return { plan, sequence: swapped.sequence, promotedMs: swapped.promotedMs, attempts, held: hold };
    },

    /** Lets the pipeline's cycles promote again. Idempotent: the first release stands. */
    async releaseHold({ pipeline, by }: { readonly pipeline: string; readonly by: string }): Promise<{ readonly released: boolean }> {
      const released = await releaseHold(db, pipeline, by);
      log.info('Promotions go on', { pipeline, released, by, attempt: Context.current().info.attempt });
      return { released };
    },
  };
}
export type RollbackActivities = ReturnType<typeof createRollbackActivities>;

function refused(pipeline: string, why: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(`"${pipeline}" is not rolled back: ${why}`, FailureType.RollbackRefused);
}
