import {
  ApplicationFailure,
  CancellationScope,
  defineQuery,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  patched,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { nextSteps } from '../domain/announcement';
import { CycleOutcome, type CyclePriority, type CycleRef, cycleWorkflowId } from '../domain/cycle';
import { toRfc3339 } from '../domain/data-interval';
import { FailureType } from '../domain/failure-type';
import type { RecordCounts } from '../domain/documents';
import type { PipelineSpec } from '../domain/pipeline-spec';
import type { CycleProgress, CycleReport } from '../domain/progress';
import type { RerunRequest } from '../domain/rerun';
import { dataStep, pureLookup, shortStep } from './activity-options';
import { describedActivities, expectHeartbeatsWithin, promptActivities } from './described-activities';
import { dedupBySpark } from './dedup-by-spark';
import { dedupBatch, discoverSentence, dedupSentence } from './dedup-batch';
import { DecisionDesk } from './decision-desk';
import { passesGate } from './gate-decision';
import { announcementOf, closingOf, emptyReport, type ReportDraft } from './report-draft';
import { reuseEarlier } from './rerun';
import { rootMessage } from './root-message';
import { abandonCycle, settleOlderJobs } from './settle';
import {
  intervalAttribute,
  outcomeAttribute,
  pipelineAttribute,
  scheduledStartAttribute,
} from './search-attributes';
import { StageTable } from './stage-table';
import { checkBatch, loadCandidates, promoteCandidates, proveCounts, publishCycle, takeSettledTurn, transformBatch } from './stages';

export interface EtlCycleInput {
  readonly pipeline: string;
  /** RFC 3339; only with an end, of a pipeline that runs on objects: what arrived since the cycle before. */
  readonly intervalStart?: string;
  /** RFC 3339; absent: the last interval that had closed at a Schedule's tick, else when this execution started. */
  readonly intervalEnd?: string;
  /** Absent: as a nightly. */
  readonly priority?: CyclePriority;
  /** Runs a closed cycle again from a stage; what comes before it is reused. */
  readonly rerun?: RerunRequest;
  /** Of a pipeline that is refreshed by day: makes every served day anew. */
  readonly full?: boolean;
}

/** The stage table, as `cycles show` prints it. */
export const progressQuery = defineQuery<CycleProgress>('progress');

const { resolvePipeline } = promptActivities(pureLookup);
// With it the declaration is in the history before anything is opened by it.
const { openCycle } = describedActivities(shortStep);
const short = promptActivities(shortStep);
const data = describedActivities(dataStep);

/**
 * One cycle: a pipeline over one data interval, from raw objects to the served views. Its body is the runbook; what a stage
 * is idempotent by stands at its activity.
 */
export async function etlCycle(input: EtlCycleInput): Promise<CycleReport> {
  const table = new StageTable(input.pipeline);
  setHandler(progressQuery, () => table.progress, { description: 'the stage table, and what a person may do next' });
  const desk = new DecisionDesk(workflowInfo().workflowId);

  const { spec, interval } = await table.run('resolve', () => resolvePipeline({ ...input, startedAt: askedAt() }));
  const workflowId = cycleWorkflowId(spec.name, interval.end);
  if (workflowInfo().workflowId !== workflowId) return delegate(workflowId, { ...input, pipeline: spec.name, intervalEnd: interval.end });

  upsertSearchAttributes([
    { key: pipelineAttribute, value: spec.name },
    { key: intervalAttribute, value: interval.end },
  ]);
  expectHeartbeatsWithin(spec.heartbeatSeconds);
  // Refused before anything is opened: then nothing has changed.
  if (input.rerun !== undefined) await short.planRerun({ spec, intervalEnd: interval.end, request: input.rerun });
  const { runId } = workflowInfo();
  const { cycle, olderJobs } = await openCycle({
    spec,
    intervalStart: interval.start,
    intervalEnd: interval.end,
    workflowId,
    runId,
    ...(input.priority === undefined ? {} : { priority: input.priority }),
  });
  table.open(cycle);
  const report = emptyReport(cycle, workflowId);
  try {
    await settleOlderJobs(olderJobs);
    await runStages(spec, cycle, runId, input, desk, table, report);
  } catch (error) {
    report.outcome = isCancellation(error) ? CycleOutcome.Cancelled : CycleOutcome.Failed;
    report.reason = rootMessage(error);
    const { promoted } = await CancellationScope.nonCancellable(async () => {
      await desk.hush();
      return abandonCycle(spec, report, table.stages);
    });
    finish(table, report);
    // A promotion that was committed stands, whatever came after it.
    if (promoted) return { ...report, stages: table.stages };
    throw error;
  }
  await CancellationScope.nonCancellable(() => conclude(spec, report, desk, table));
  finish(table, report);
  return { ...report, stages: table.stages };
}

async function runStages(
  spec: PipelineSpec,
  cycle: CycleRef,
  runId: string,
  { rerun, full = false }: Pick<EtlCycleInput, 'rerun' | 'full'>,
  desk: DecisionDesk,
  table: StageTable,
  report: ReportDraft,
): Promise<void> {
  const epoch = await table.run('turn', (detail) => takeSettledTurn(spec, cycle, runId, report, detail));

  const reused = await reuseEarlier(spec, cycle, rerun, table, report);
  const records = reused.records ?? (await storeBatch(spec, cycle, epoch, table, report));
  if (records === undefined) return;

  // Somebody asks for a rerun because the rows are not as they should be: then none is taken over.
  const anew = { ...(full || rerun !== undefined ? { full: true } : {}), ...(reused.data === undefined ? {} : { data: reused.data }) };
  const prepare = () => short.prepareTransform({ cycle, spec, ...anew });
  const transformed = reused.transformed ?? (await table.run('transform', (detail) => transformBatch(spec, cycle, report, detail, prepare)));

  let gate = reused.gate;
  if (gate === undefined) {
    const looked = await table.run('check', async (detail) => {
      const verdict = await checkBatch(spec, cycle, transformed, detail, reused.output);
      return { verdict, passed: await passesGate(spec, cycle, verdict, desk, report, { detail, offer: (next) => table.offer(next) }) };
    });
    if (!looked.passed) return;
    gate = looked.verdict;
  }

  const candidates = await table.run('load', (detail) => loadCandidates(spec, cycle, epoch, transformed, detail));
  proveCounts(spec, report.workflowId, { records }, transformed, gate, candidates);

  await table.run('promote', (detail) => promoteCandidates(spec, cycle, epoch, candidates, report, detail));
  if (report.outcome === CycleOutcome.Blocked) return;

  await table.run('publish', (detail) => publishCycle(spec, cycle, report.objectCount, detail));
}

/** Stores what is new in the objects that arrived; undefined when that is nothing, and the report says why. */
async function storeBatch(spec: PipelineSpec, cycle: CycleRef, epoch: number, table: StageTable, report: ReportDraft): Promise<RecordCounts | undefined> {
  const batch = await table.run('discover', async (detail) => {
    const found = await data.discoverBatches({ cycle, spec });
    detail(discoverSentence(found));
    return found;
  });
  report.objectCount = batch.objectCount;
  if (batch.objectCount === 0) return nothingToPromote(report, 'no raw object arrived that was not loaded before');

  const records = await table.run('dedup', async (detail) => {
    const counts = spec.dedup.engine === 'spark' ? await dedupOnSpark() : await dedupBatch(spec, cycle, batch, epoch, (soFar) => detail(dedupSentence(soFar)));
    detail(dedupSentence(counts));
    return counts;

    async function dedupOnSpark(): Promise<RecordCounts> {
      const done = await dedupBySpark(spec, cycle, batch, epoch, (soFar, jobRunId) => detail(`EMR job run ${jobRunId}; ${dedupSentence(soFar)}`));
      report.spark = done.spark;
      return done.counts;
    }
  });
  report.records = records;
  return records.stored === 0 ? nothingToPromote(report, 'every record was a duplicate or went to quarantine') : records;
}

/** What is due after a cycle that ended by a decision of its own: promoted, empty, rejected or blocked. */
async function conclude(spec: PipelineSpec, report: ReportDraft, desk: DecisionDesk, table: StageTable): Promise<void> {
  const { cycle, epoch } = report;
  if (report.outcome === CycleOutcome.Rejected) {
    await data.voidCycle({ cycle, spec, epoch, keepQuarantine: true });
    await data.markObjects({ cycle, spec, state: 'set-aside', ...(report.reason === undefined ? {} : { verdict: report.reason }) });
  }
  // Their records are stored, and the next promotion serves them: read again, their bad lines would be in quarantine twice.
  if (report.outcome === CycleOutcome.Blocked && patched('2026-11-objects-of-blocked-cycles')) await data.markObjects({ cycle, spec, state: 'loaded' });
  // Nothing new in them, so they need not be read again.
  if (report.outcome === CycleOutcome.Empty && report.objectCount > 0) await data.markObjects({ cycle, spec, state: 'loaded' });
  if (report.rules.length > 0) await short.removeGatePartitions({ cycle, spec });
  await short.closeCycle(closingOf(report));
  await short.releaseTurn({ cycle, epoch });
  await desk.settled();
  await short.announceOutcome(announcementOf(report, table.stages));
}

function finish(table: StageTable, report: ReportDraft): void {
  table.close(report.outcome, nextSteps(announcementOf(report)));
  upsertSearchAttributes([{ key: outcomeAttribute, value: report.outcome }]);
}

function nothingToPromote(report: ReportDraft, reason: string): undefined {
  report.outcome = CycleOutcome.Empty;
  report.reason = reason;
}

/** A start under another id runs the cycle under its own, so that two starts of one interval exclude each other. */
async function delegate(workflowId: string, input: EtlCycleInput): Promise<CycleReport> {
  try {
    return await executeChild(etlCycle, { workflowId, args: [input], parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    throw ApplicationFailure.nonRetryable(
      `The cycle ${workflowId} is already running: follow that execution, or start again once it has ended`,
      FailureType.CycleAlreadyRunning,
    );
  }
}

/** A Schedule's start takes the interval that had closed at its tick (its own, or, triggered between two, the last); any other at its start. */
function askedAt(): string {
  const { typedSearchAttributes, startTime } = workflowInfo();
  return toRfc3339(typedSearchAttributes.get(scheduledStartAttribute) ?? startTime);
}
