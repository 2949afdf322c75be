import { setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { toRfc3339 } from '../domain/data-interval';
import type { RollbackReport, RollbackRequest } from '../domain/rollback';
import { pureLookup, shortStep, waitStep } from './activity-options';
import { describedActivities, expectHeartbeatsWithin } from './described-activities';
import { pipelineAttribute } from './search-attributes';

const { resolvePipeline } = describedActivities(pureLookup);
const short = describedActivities(shortStep);
const wait = describedActivities(waitStep);

/**
 * Brings back a version that is kept, of all relations of a pipeline together, by the promotion's own swap. Wrong data is live, so it
 * takes no turn: the compare-and-swap of the promotion sequence guards it and whatever promotes at the same moment.
 */
export async function rollback(request: RollbackRequest): Promise<RollbackReport> {
  const { runId, startTime } = workflowInfo();
  const { spec } = await resolvePipeline({ pipeline: request.pipeline, startedAt: toRfc3339(startTime) });
  expectHeartbeatsWithin(spec.heartbeatSeconds);
  upsertSearchAttributes([{ key: pipelineAttribute, value: spec.name }]);
  const plan = await short.planRollback({ spec, request });
  const tables = plan.targets.map((target) => `${target.view}: version ${target.from} → ${target.version} (${target.rows} rows)`).join(', ');
  setCurrentDetails(`rolls back ${tables}; by ${request.by}: ${request.reason}`);
  await wait.awaitOlderReaders({ spec, plan });
  const report = await wait.rollback({ spec, plan, request, requestId: runId });
  setCurrentDetails(`rolled back ${tables} in ${report.promotedMs} ms; by ${request.by}: ${request.reason}`);
  const rows = Object.fromEntries(plan.targets.map((target) => [`Rows_${target.relation}`, target.rows]));
  await short.announceOutcome({
    cycle: plan.cycle,
    outcome: 'rolled-back',
    sequence: report.sequence,
    by: request.by,
    held: report.held,
    reason: request.reason,
    counts: rows,
  });
  return report;
}
