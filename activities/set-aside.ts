import { ConditionalCheckFailedException, DeleteItemCommand, type DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import { Context, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Kysely } from 'kysely';
import { CycleOutcome, type CycleRef, cycleWorkflowId, generationPrefix } from '../domain/cycle';
import { signatureFaults } from '../domain/decision';
import type { RawObject } from '../domain/documents';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { listCycles, mergeCounts } from '../sql/queries/cycles';
import type { Database } from '../sql/schema';
import { manifestPointer, partsOf, readManifest } from './batches/manifest';
import { objectKey } from './batches/objects-table';
import { forEachParallel } from './for-each-parallel';

export interface SetAsideDependencies {
  readonly db: Kysely<Database>;
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
  readonly buckets: { readonly artifacts: string };
  readonly objectsTable: string;
}

export interface DiscardInput {
  readonly spec: PipelineSpec;
  readonly intervalEnd: string;
  readonly by: string;
  readonly reason: string;
}

const WRITES_AT_ONCE = 16;
const MOST_GENERATIONS = 200;

/** Activities that settle the objects which a rejected cycle set aside: read them again, or never. */
export function createSetAsideActivities(deps: SetAsideDependencies) {
  return {
    /**
     * Lets the objects that earlier generations of the cycle set aside be discovered again. Idempotent by object version: only one
     * that is still set aside, and by that generation, is released.
     */
    async releaseObjects({ cycle }: { readonly cycle: CycleRef }): Promise<{ readonly released: number }> {
      const earlier = (await rejectedGenerations(deps.db, cycle.pipeline, cycle.intervalEnd)).filter((each) => each.generation < cycle.generation);
      const released = await settle(deps, earlier, (object, generation) =>
        deps.dynamodb.send(new DeleteItemCommand({ TableName: deps.objectsTable, Key: objectKey(generation.dataset, object), ...stillSetAside(generation) }), {
          abortSignal: Context.current().cancellationSignal,
        }),
      );
      log.info('Set-aside objects released', { cycle: generationPrefix(cycle), released });
      return { released };
    },

    /**
     * Says for good that nobody reads the set-aside objects of a rejected cycle; who and why goes on its record. Idempotent by object
     * version; the raw objects stay where they are.
     * @throws `RerunRefused`, not retryable, when no generation of the cycle was rejected
     */
    async discardObjects({ spec, intervalEnd, by, reason }: DiscardInput): Promise<{ readonly discarded: number }> {
      const workflowId = cycleWorkflowId(spec.name, intervalEnd);
      const faults = signatureFaults({ by, reason });
      if (faults.length > 0) throw refused(workflowId, faults.join('; '));
      const rejected = await rejectedGenerations(deps.db, spec.name, intervalEnd);
      if (rejected.length === 0) throw refused(workflowId, 'no generation of it was rejected, so nothing is set aside');
      const discarded = await settle(deps, rejected, (object, generation) =>
        deps.dynamodb.send(
          new UpdateItemCommand({
            TableName: deps.objectsTable,
            Key: objectKey(generation.dataset, object),
            UpdateExpression: 'set #state = :discarded',
            // What an earlier attempt discarded counts too: its own count may be lost with it.
            ...stillSetAside(generation, 'discarded'),
          }),
          { abortSignal: Context.current().cancellationSignal },
        ),
      );
      const [latest] = rejected;
      if (discarded > 0 && latest !== undefined) await mergeCounts(deps.db, latest, { discarded: { objects: discarded, by, reason, at: new Date().toISOString() } });
      return { discarded };
    },
  };
}
export type SetAsideActivities = ReturnType<typeof createSetAsideActivities>;

async function rejectedGenerations(db: Kysely<Database>, pipeline: string, intervalEnd: string): Promise<readonly CycleRef[]> {
  const records = await listCycles(db, { pipeline, intervalEnd, limit: MOST_GENERATIONS });
  return records.filter((record) => record.outcome === CycleOutcome.Rejected).map((record) => record.cycle);
}

/** @returns objects that were still to be settled */
async function settle(
  deps: SetAsideDependencies,
  generations: readonly CycleRef[],
  write: (object: RawObject, generation: CycleRef) => Promise<unknown>,
): Promise<number> {
  const context = Context.current();
  let settled = 0;
  for (const generation of generations) {
    const manifest = await readManifest(deps.s3, manifestPointer(deps.buckets.artifacts, generation), context.cancellationSignal);
    if (manifest === undefined) continue;
    for await (const { objects } of partsOf(deps.s3, deps.buckets.artifacts, manifest, context.cancellationSignal)) {
      await forEachParallel(objects, WRITES_AT_ONCE, async (object) => {
        try {
          await write(object, generation);
          settled += 1;
        } catch (error) {
          // Released, discarded or loaded since.
          if (!(error instanceof ConditionalCheckFailedException)) throw error;
        }
        context.heartbeat({ settled });
      });
    }
  }
  return settled;
}

/** @param or - another state that the object may be in by now */
function stillSetAside(generation: CycleRef, or?: 'discarded') {
  return {
    ConditionExpression: `#state in (:setAside${or === undefined ? '' : `, :${or}`}) and generation = :generation`,
    ExpressionAttributeNames: { '#state': 'state' },
    ExpressionAttributeValues: {
      ':setAside': { S: 'set-aside' },
      ':generation': { S: generationPrefix(generation) },
      ...(or === undefined ? {} : { [`:${or}`]: { S: or } }),
    },
  };
}

function refused(workflowId: string, why: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(`Nothing of ${workflowId} can be discarded: ${why}`, FailureType.RerunRefused);
}
