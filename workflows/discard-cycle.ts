import { workflowInfo } from '@temporalio/workflow';
import { toRfc3339 } from '../domain/data-interval';
import { dataStep, pureLookup } from './activity-options';
import { describedActivities, expectHeartbeatsWithin } from './described-activities';

export interface DiscardCycleInput {
  readonly pipeline: string;
  /** RFC 3339, of a cycle that its gate rejected. */
  readonly intervalEnd: string;
  readonly by: string;
  readonly reason: string;
}

const { resolvePipeline } = describedActivities(pureLookup);
const { discardObjects } = describedActivities(dataStep);

/** Settles for good what a rejected cycle set aside: nobody reads those objects any more. The way back is `rerun`, before this. */
export async function discardCycle({ pipeline, intervalEnd, by, reason }: DiscardCycleInput): Promise<{ readonly discarded: number }> {
  const { spec, interval } = await resolvePipeline({ pipeline, intervalEnd, startedAt: toRfc3339(workflowInfo().startTime) });
  expectHeartbeatsWithin(spec.heartbeatSeconds);
  return discardObjects({ spec, intervalEnd: interval.end, by, reason });
}
