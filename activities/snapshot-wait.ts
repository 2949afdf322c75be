import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Kysely } from 'kysely';
import { FailureType } from '../domain/failure-type';
import { findSnapshotHolders, maySeeOtherBackends, type OpenTransaction, stillOpen } from '../sql/queries/backends';
import type { Database } from '../sql/schema';

export type SnapshotWait =
  | { readonly outcome: 'clear'; readonly waitedMs: number }
  | { readonly outcome: 'blocked'; readonly waitedMs: number; readonly blockedBy: readonly string[] };

interface WaitDetails {
  readonly sinceMs: number;
  readonly holders: readonly OpenTransaction[];
}

const FIRST_POLL_MS = 20;
const SLOWEST_POLL_MS = 1_000;

/**
 * Collects once the transactions that hold a snapshot now, and polls until each of them has ended. Once: snapshots that are
 * taken from here on see the load, and waiting for those too might never end. Each poll is its own statement, since within
 * a transaction the statistics stand still. A physical replica's readers are not among them.
 * @param olderThan - RFC 3339, of a load that ended long ago: only transactions that began before can miss it
 */
export async function waitForSnapshots(db: Kysely<Database>, limitMs: number, olderThan?: string): Promise<SnapshotWait> {
  const context = Context.current();
  if (!(await maySeeOtherBackends(db))) {
    throw ApplicationFailure.nonRetryable(
      'The database role of the worker cannot see other sessions, so it cannot know whether a promotion is safe for their snapshots: grant pg_read_all_stats to it',
      FailureType.DatabasePrivilegeMissing,
    );
  }
  const resumed = context.info.heartbeatDetails as WaitDetails | undefined;
  const sinceMs = resumed?.sinceMs ?? Date.now();
  let holders = resumed?.holders ?? (await findSnapshotHolders(db, olderThan));
  for (let pollMs = FIRST_POLL_MS; ; pollMs = Math.min(pollMs * 1.5, SLOWEST_POLL_MS)) {
    holders = holders.length === 0 ? [] : await stillOpen(db, holders);
    context.heartbeat({ sinceMs, holders } satisfies WaitDetails);
    const waitedMs = Date.now() - sinceMs;
    if (holders.length === 0) return { outcome: 'clear', waitedMs };
    if (waitedMs >= limitMs) return { outcome: 'blocked', waitedMs, blockedBy: holders.map((holder) => holder.who) };
    await context.sleep(pollMs);
  }
}
