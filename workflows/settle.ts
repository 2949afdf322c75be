import { patched } from '@temporalio/workflow';
import type { Activities } from '../activities';
import { CycleOutcome, type CycleRef } from '../domain/cycle';
import type { PipelineSpec } from '../domain/pipeline-spec';
import type { StageProgress } from '../domain/progress';
import { dataStep, shortStep, waitStep } from './activity-options';
import { describedActivities, promptActivities } from './described-activities';
import { announcementOf, closingOf, type ReportDraft } from './report-draft';

const short = promptActivities(shortStep);
const data = describedActivities(dataStep);
const wait = describedActivities(waitStep);

type JobOfRecord = Awaited<ReturnType<Activities['openCycle']>>['olderJobs'][number];
type Unsettled = NonNullable<Awaited<ReturnType<Activities['takeTurn']>>['unsettled']>;

/** Confirms that no job of an older generation is alive before a new one submits its own (I5, I7). */
export async function settleOlderJobs(jobs: readonly JobOfRecord[]): Promise<void> {
  for (const job of jobs) {
    if (job.kind === 'emr') await wait.settleSparkJob(job);
    else await wait.settleQualityRun(job);
  }
}

/** Ends what the turn's previous holder left: its promotion is published, or its chunks are voided (I7). */
export async function settlePredecessor(spec: PipelineSpec, { cycle, promoted, jobs }: Unsettled, epoch: number): Promise<void> {
  await settleOlderJobs(jobs);
  if (promoted) await publishLate(spec, cycle);
  else {
    await data.voidCycle({ cycle, spec, epoch });
    await data.dropCandidates({ cycle });
    await short.removeGatePartitions({ cycle, spec });
  }
  const outcome = promoted ? CycleOutcome.Promoted : CycleOutcome.Failed;
  const reason = 'its execution ended without closing; settled by the next holder of the turn';
  await short.closeCycle({ cycle, outcome, detail: reason, counts: {} });
  // Whoever was to be told of that night waits still: a terminated execution tells nobody (I9).
  if (patched('2026-11-announce-settled')) await short.announceOutcome({ cycle, outcome, reason, counts: {} });
}

/** A promotion stands whose cycle did not come to publish it. */
async function publishLate(spec: PipelineSpec, cycle: CycleRef): Promise<void> {
  await data.markObjects({ cycle, spec, state: 'loaded' });
  await short.publishPartitions({ cycle, spec });
  if (patched('2026-11-gate-partitions-of-late-promotions')) await short.removeGatePartitions({ cycle, spec });
}

/**
 * Leaves nothing behind a cycle that failed or was cancelled: jobs terminal, chunks voided, candidates dropped, the turn free.
 * A promotion whose acknowledgement was lost is found in the ledger and stands: the report is made to say so.
 */
export async function abandonCycle(spec: PipelineSpec, report: ReportDraft, stages: readonly StageProgress[]): Promise<{ readonly promoted: boolean }> {
  const { cycle, epoch } = report;
  await settleOlderJobs(await short.openJobs({ cycle }));
  const promotion = await short.settlePromotion({ cycle });
  if (promotion !== undefined) {
    report.outcome = CycleOutcome.Promoted;
    await publishLate(spec, cycle);
  } else if (epoch > 0) {
    await data.voidCycle({ cycle, spec, epoch });
    await data.dropCandidates({ cycle });
    await short.removeGatePartitions({ cycle, spec });
  }
  await short.closeCycle(closingOf(report));
  if (epoch > 0) await short.releaseTurn({ cycle, epoch });
  await short.announceOutcome(announcementOf(report, stages));
  return { promoted: promotion !== undefined };
}
