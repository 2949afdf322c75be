import { ApplicationFailure, CancellationScope, upsertSearchAttributes } from '@temporalio/workflow';
import type { Activities } from '../activities';
import { type CycleCounts, conservationFaults } from '../domain/conservation';
import { CycleOutcome, type CycleRef } from '../domain/cycle';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec } from '../domain/pipeline-spec';
import type { ServedRelation } from '../domain/progress';
import { refreshSentence } from '../domain/refresh';
import { addSparkUsage, NO_SPARK, sparkUsageSentence } from '../domain/spark-usage';
import { dataStep, shortStep, waitStep } from './activity-options';
import { describedActivities, promptActivities } from './described-activities';
import { checkQuality, failedRules, type GateVerdict } from './quality-gate';
import type { ReportDraft } from './report-draft';
import { jobRunAttribute, versionAttribute } from './search-attributes';
import { settlePredecessor } from './settle';

const short = promptActivities(shortStep);
const data = describedActivities(dataStep);
const wait = describedActivities(waitStep);

/** Says the one sentence of the stage that runs. */
export type Detail = (sentence: string) => void;

/** What the transform was given, and what it made of it. */
export interface Transformed {
  readonly prepared: Awaited<ReturnType<Activities['prepareTransform']>>;
  readonly output: Awaited<ReturnType<Activities['readJobManifest']>>;
}

/** Takes the dataset's turn, and ends what its earlier holders left, the oldest first. */
export async function takeSettledTurn(
  spec: PipelineSpec,
  cycle: CycleRef,
  runId: string,
  report: ReportDraft,
  detail: Detail,
): Promise<number> {
  let turn = await wait.takeTurn({ cycle, workflowId: report.workflowId, runId });
  report.epoch = turn.epoch;
  // A cancellation must not come in between: what is due after it is held to the fence.
  await CancellationScope.nonCancellable(() => short.raiseFence({ dataset: spec.dataset, epoch: turn.epoch }));
  while (turn.unsettled !== undefined) {
    detail(`settles ${turn.unsettled.cycle.pipeline} until ${turn.unsettled.cycle.intervalEnd}, generation ${turn.unsettled.cycle.generation}`);
    await settlePredecessor(spec, turn.unsettled, turn.epoch);
    turn = await wait.takeTurn({ cycle, workflowId: report.workflowId, runId });
  }
  detail(`epoch ${turn.epoch}`);
  return turn.epoch;
}

/** The two documents of a transform: of a pipeline that is refreshed by day they say which rows are the job's, and where the others come from. */
function documentsOf({ prepared, output }: Transformed) {
  return { input: prepared.input, manifest: output.manifest };
}

/** Runs the pipeline's job over what `prepare` wrote for it. */
export async function transformBatch(
  spec: PipelineSpec,
  cycle: CycleRef,
  report: ReportDraft,
  detail: Detail,
  prepare: () => Promise<Transformed['prepared']>,
): Promise<Transformed> {
  const prepared = await prepare();
  const job = await short.submitSparkJob({ cycle, spec, input: prepared.input });
  report.jobRunId = job.jobRunId;
  noteRefresh(report, prepared);
  upsertSearchAttributes([{ key: jobRunAttribute, value: job.jobRunId }]);
  const days = prepared.refresh === undefined ? '' : `${refreshSentence(prepared.refresh)}; `;
  detail(`${days}EMR job run ${job.jobRunId} over ${prepared.rowCount} rows in ${prepared.files} files`);
  const used = addSparkUsage(NO_SPARK, await wait.awaitSparkJob({ cycle, spec, job }));
  report.spark = addSparkUsage(report.spark ?? NO_SPARK, used);
  const output = await short.readJobManifest({ cycle, spec, input: prepared.input });
  detail(`${days}EMR job run ${job.jobRunId}: ${output.relations.map((each) => `${each.name} ${each.rows} rows`).join(', ')}; ${sparkUsageSentence(used)}`);
  return { prepared, output };
}

/** How much of what is served the cycle made anew, for whoever reads its report. */
export function noteRefresh(report: ReportDraft, { refresh }: Transformed['prepared']): void {
  if (refresh === undefined) return;
  const { days, rebuilt, base, why } = refresh;
  report.refresh = { days, rebuilt, base, ...(why === undefined ? {} : { why }) };
}

/** The gate's two looks; what failed is for the caller to judge. @param output - as in `StartQualityRunInput` */
export async function checkBatch(spec: PipelineSpec, cycle: CycleRef, transformed: Transformed, detail: Detail, output?: CycleRef): Promise<GateVerdict> {
  const verdict = await checkQuality(spec, cycle, documentsOf(transformed), output);
  const failed = failedRules(verdict.rules);
  detail(`${verdict.rules.length - failed.length} of ${verdict.rules.length} rules passed, ${failed.length} failed${failed.map((rule) => `; ${rule.step}: ${rule.rule}`).join('')}`);
  return verdict;
}

/** Loads every relation's candidate, checked and indexed; nobody reads it yet. */
export async function loadCandidates(
  spec: PipelineSpec,
  cycle: CycleRef,
  epoch: number,
  transformed: Transformed,
  detail: Detail,
): Promise<readonly ServedRelation[]> {
  const documents = documentsOf(transformed);
  const loaded: ServedRelation[] = [];
  for (const relation of spec.relations) {
    const candidate = await short.createCandidate({ cycle, spec, epoch, relation: relation.name, ...documents });
    await data.loadRelation({ cycle, spec, relation: relation.name, version: candidate.version, ...documents });
    const { rows } = await data.finishCandidate({ cycle, spec, relation: relation.name, version: candidate.version, ...documents });
    loaded.push({ relation: relation.name, view: relation.view, version: candidate.version, table: candidate.table, rows });
    detail(loaded.map((each) => `${each.table} ${each.rows} rows`).join(', '));
  }
  return loaded;
}

/**
 * Holds what every stage counted against the others (I1, X6).
 * @throws `CountsDoNotAddUp`, not retryable
 */
export function proveCounts(
  spec: PipelineSpec,
  workflowId: string,
  counts: Pick<CycleCounts, 'records'>,
  { prepared, output }: Transformed,
  gate: GateVerdict,
  candidates: readonly ServedRelation[],
): void {
  const records = output.relations.find((relation) => relation.name === spec.quality.relation);
  const { kept } = prepared.refresh ?? {};
  const faults = conservationFaults({
    ...counts,
    transformInput: prepared,
    transformOutput: { ...output, rows: records?.rows ?? 0, addedRows: records?.addedRows ?? 0 },
    ...(kept === undefined ? {} : { kept: { inputRows: kept.inputRows, rows: kept.rows[spec.quality.relation] ?? 0 } }),
    gate: gate.rowCounts,
    loaded: candidates.find((candidate) => candidate.relation === spec.quality.relation)?.rows ?? 0,
  });
  if (faults.length > 0) {
    throw ApplicationFailure.nonRetryable(
      `The counts of ${workflowId} do not add up, so nothing is promoted: ${faults.join('; ')}`,
      FailureType.CountsDoNotAddUp,
    );
  }
}

/** Makes the candidates what readers see, or says in the report what stood in the way. */
export async function promoteCandidates(
  spec: PipelineSpec,
  cycle: CycleRef,
  epoch: number,
  candidates: readonly ServedRelation[],
  report: ReportDraft,
  detail: Detail,
): Promise<void> {
  const versions = candidates.map(({ relation, version }) => ({ relation, version }));
  const snapshots = await wait.awaitSnapshots({ cycle, spec, versions });
  if (snapshots.outcome === 'blocked') {
    report.outcome = CycleOutcome.Blocked;
    report.reason = `readers with older snapshots did not end within ${spec.promotion.snapshotWaitMinutes} minutes: ${snapshots.blockedBy.join(', ')}`;
    detail(report.reason);
    return;
  }
  await data.vacuumCandidates({ cycle, spec, versions });
  const promotion = await wait.promote({ cycle, spec, versions, epoch, metadata: { jobRunId: report.jobRunId ?? '', ...approvalOf(report) } });
  if (promotion.outcome === 'blocked') {
    report.outcome = CycleOutcome.Blocked;
    report.reason = promotion.held === true ? promotion.reason : `the views' locks could not be had within ${spec.promotion.swapWaitMinutes} minutes: ${promotion.reason}`;
    detail(report.reason);
    return;
  }
  report.outcome = CycleOutcome.Promoted;
  report.served = candidates;
  report.promotion = {
    sequence: promotion.sequence,
    promotedMs: promotion.promotedMs,
    attempts: promotion.attempts,
    snapshotWaitMs: snapshots.waitedMs,
  };
  const version = Math.max(...candidates.map((candidate) => candidate.version));
  upsertSearchAttributes([{ key: versionAttribute, value: version }]);
  detail(`views repointed in ${promotion.promotedMs} ms: ${candidates.map((each) => `${each.view} → ${each.table}`).join(', ')}`);
}

/** What the promotion ledger and the view's comment say of a cycle that was approved though rules had failed. */
function approvalOf({ decision, rules }: ReportDraft): Readonly<Record<string, string>> {
  if (decision === undefined) return {};
  const { by: approvedBy, reason: approvalReason, at: approvedAt } = decision;
  return { approvedBy, approvalReason, approvedAt, failedRules: failedRules(rules).map((rule) => `${rule.step}: ${rule.rule}`).join('; ') };
}

/** Promoted: a cancellation from here on is too late, and must not leave the objects unmarked. */
export async function publishCycle(spec: PipelineSpec, cycle: CycleRef, objectCount: number, detail: Detail): Promise<void> {
  await CancellationScope.nonCancellable(async () => {
    await data.markObjects({ cycle, spec, state: 'loaded' });
    const { dates } = await short.publishPartitions({ cycle, spec });
    await data.retireVersions({ spec });
    detail(`${objectCount} objects marked loaded, ${dates} event dates in the catalog`);
  });
}
