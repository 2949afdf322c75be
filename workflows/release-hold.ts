import { upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { toRfc3339 } from '../domain/data-interval';
import { pureLookup, shortStep } from './activity-options';
import { describedActivities, expectHeartbeatsWithin } from './described-activities';
import { pipelineAttribute } from './search-attributes';

const { resolvePipeline } = describedActivities(pureLookup);
const short = describedActivities(shortStep);

/** Lets a pipeline's cycles promote again after a rollback: the next one serves all that was stored meanwhile. */
export async function releaseHold({ pipeline, by }: { readonly pipeline: string; readonly by: string }): Promise<{ readonly released: boolean }> {
  const { spec } = await resolvePipeline({ pipeline, startedAt: toRfc3339(workflowInfo().startTime) });
  expectHeartbeatsWithin(spec.heartbeatSeconds);
  upsertSearchAttributes([{ key: pipelineAttribute, value: spec.name }]);
  return short.releaseHold({ pipeline: spec.name, by });
}
