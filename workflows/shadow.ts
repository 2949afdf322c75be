import { getExternalWorkflowHandle, workflowInfo } from '@temporalio/workflow';
import type { Activities } from '../activities';
import { CycleOutcome, type CycleRef } from '../domain/cycle';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { dryRunWorkflowId } from '../domain/shadow-pipeline';
import { dataStep, shortStep, waitStep } from './activity-options';
import { describedActivities } from './described-activities';
import { closingOf, type ReportDraft } from './report-draft';
import { settleOlderJobs } from './settle';
import type { Detail } from './stages';

const short = describedActivities(shortStep);
const data = describedActivities(dataStep);
const wait = describedActivities(waitStep);

/** Another dry run of a pipeline asks for this before it takes its place; so may a person. */
export const DROP_SIGNAL = 'drop';

/**
 * Takes the shadow's turn, which no cycle ever asks for, and drops what earlier dry runs of the pipeline keep or left: a pipeline has
 * one shadow.
 */
export async function takeShadowTurn(spec: PipelineSpec, cycle: CycleRef, report: ReportDraft, detail: Detail): Promise<void> {
  const { runId } = workflowInfo();
  let turn = await wait.takeTurn({ cycle, workflowId: report.workflowId, runId });
  report.epoch = turn.epoch;
  while (turn.unsettled !== undefined) {
    const earlier = turn.unsettled;
    detail(`drops the shadow of the interval until ${earlier.cycle.intervalEnd}, generation ${earlier.cycle.generation}`);
    await dropEarlier(spec, earlier);
    turn = await wait.takeTurn({ cycle, workflowId: report.workflowId, runId });
  }
  detail(`epoch ${turn.epoch} of the shadow`);
}

/** Leaves nothing of a dry run but its record and the diff: jobs terminal, tables, views, partitions and files gone, the turn free. */
export async function leaveNothing(spec: PipelineSpec, report: ReportDraft): Promise<void> {
  const { cycle, epoch } = report;
  await settleOlderJobs(await short.openJobs({ cycle }));
  await data.dropDryRun({ cycle, spec });
  await short.removeGatePartitions({ cycle, spec });
  await short.closeCycle(closingOf(report));
  if (epoch > 0) await short.releaseTurn({ cycle, epoch });
}

async function dropEarlier(spec: PipelineSpec, { cycle, promoted, jobs }: NonNullable<Awaited<ReturnType<Activities['takeTurn']>>['unsettled']>): Promise<void> {
  await settleOlderJobs(jobs);
  await data.dropDryRun({ cycle, spec });
  await short.removeGatePartitions({ cycle, spec });
  const outcome = promoted ? CycleOutcome.Promoted : CycleOutcome.Cancelled;
  await short.closeCycle({ cycle, outcome, detail: 'dropped to make room for the next dry run', counts: {} });
  const workflowId = dryRunWorkflowId(spec.name, cycle.intervalEnd);
  if (workflowId === workflowInfo().workflowId) return; // an earlier execution of this very id: it has ended
  // It need not wait any more; where it has ended, or goes by another id, there is nobody to tell.
  await getExternalWorkflowHandle(workflowId).signal(DROP_SIGNAL).catch(() => undefined);
}
