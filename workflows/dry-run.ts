import { ApplicationFailure, CancellationScope, condition, defineQuery, defineSignal, isCancellation, setHandler, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { NO_RECORDS } from '../domain/conservation';
import { CycleOutcome, type CycleRef, DRY_RUN_STAGES } from '../domain/cycle';
import { toRfc3339 } from '../domain/data-interval';
import type { DryRunReport } from '../domain/dry-run';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec } from '../domain/pipeline-spec';
import type { ServedRelation } from '../domain/progress';
import { comparedByWorker, shadowName, shadowPipeline } from '../domain/shadow-pipeline';
import { dataStep, pureLookup, shortStep } from './activity-options';
import { dedupBatch, dedupSentence, discoverSentence } from './dedup-batch';
import { describedActivities, expectHeartbeatsWithin } from './described-activities';
import { progressQuery } from './etl-cycle';
import { failedRules, type GateVerdict } from './quality-gate';
import { emptyReport, type ReportDraft } from './report-draft';
import { intervalAttribute, outcomeAttribute, pipelineAttribute } from './search-attributes';
import { settleOlderJobs } from './settle';
import { DROP_SIGNAL, leaveNothing, takeShadowTurn } from './shadow';
import { StageTable } from './stage-table';
import { rootMessage } from './root-message';
import { checkBatch, loadCandidates, promoteCandidates, proveCounts, type Transformed, transformBatch } from './stages';

export interface DryRunInput {
  readonly pipeline: string;
  /** RFC 3339; absent: the last interval that had closed when this execution started. */
  readonly intervalEnd?: string;
  /** How long the shadow stays after the comparison: 1 unless said, time for a look; at most 168, a week. */
  readonly keepHours?: number;
}

/** What came of it, from the comparison on; undefined before that. */
export const dryRunReportQuery = defineQuery<DryRunReport | undefined>('report');

/** Drops the shadow now, or, while the stages run, as soon as it has been compared. */
export const dropSignal = defineSignal(DROP_SIGNAL);

const DEFAULT_KEEP_HOURS = 1;
const MOST_KEEP_HOURS = 7 * 24;
const HOUR_MS = 3_600_000;

const { resolvePipeline } = describedActivities(pureLookup);
const short = describedActivities(shortStep);
const data = describedActivities(dataStep);

interface DryRun {
  readonly spec: PipelineSpec;
  readonly shadow: PipelineSpec;
  readonly cycle: CycleRef;
  readonly olderJobs: Parameters<typeof settleOlderJobs>[0];
  readonly table: StageTable;
  readonly report: ReportDraft;
}
type Compared = Pick<DryRunReport, 'shadow' | 'diff'>;

/**
 * A cycle against a shadow view: the same stages, but nothing is written to the ledger, to storage, to the views that readers use, and
 * no object is marked. What would change is compared; the shadow is dropped after the declared time, or at once if the run fails.
 */
export async function dryRun(input: DryRunInput): Promise<DryRunReport> {
  let dropAsked = false;
  let outcome: DryRunReport | undefined;
  const table = new StageTable(shadowName(input.pipeline), DRY_RUN_STAGES);
  setHandler(progressQuery, () => table.progress, { description: 'the stage table' });
  setHandler(dryRunReportQuery, () => outcome, { description: 'what would change, once it is compared' });
  setHandler(dropSignal, () => void (dropAsked = true), { description: 'drops the shadow that is kept' });

  const keepMs = requestedKeepMs(input);
  const run = await open(input, table);
  const { spec, report } = run;
  let compared: Compared;
  try {
    compared = await runStages(run);
  } catch (error) {
    report.outcome = isCancellation(error) ? CycleOutcome.Cancelled : CycleOutcome.Failed;
    report.reason = rootMessage(error);
    await CancellationScope.nonCancellable(() => leaveNothing(spec, report));
    finish(table, report);
    throw error;
  }
  if (compared.diff !== undefined && keepMs > 0 && !dropAsked) {
    await table.run('keep', async (detail) => {
      await CancellationScope.nonCancellable(() => short.releaseTurn({ cycle: report.cycle, epoch: report.epoch }));
      const keptUntil = toRfc3339(new Date(Date.now() + keepMs));
      detail(`until ${keptUntil}, or the signal "${DROP_SIGNAL}": ${compared.shadow.map((each) => each.table).join(', ')}`);
      outcome = reportOf(run, compared, keptUntil);
      // A cancellation asks for no more than the signal does: what was found stands.
      await condition(() => dropAsked, keepMs, { summary: `the shadow is kept until ${keptUntil}` }).catch((error: unknown) => {
        if (!isCancellation(error)) throw error;
      });
    });
  }
  await CancellationScope.nonCancellable(() => leaveNothing(spec, report));
  finish(table, report);
  outcome = reportOf(run, compared);
  return outcome;
}

async function open(input: DryRunInput, table: StageTable): Promise<DryRun> {
  const { workflowId, runId, startTime } = workflowInfo();
  const { pipeline, intervalEnd } = input;
  const startedAt = toRfc3339(startTime);
  const { spec, interval } = await table.run('resolve', () => resolvePipeline({ pipeline, startedAt, ...(intervalEnd === undefined ? {} : { intervalEnd }) }));
  const shadow = shadowPipeline(spec);
  upsertSearchAttributes([
    { key: pipelineAttribute, value: shadow.name },
    { key: intervalAttribute, value: interval.end },
  ]);
  expectHeartbeatsWithin(spec.heartbeatSeconds);
  const { cycle, olderJobs } = await short.openCycle({ spec: shadow, intervalStart: interval.start, intervalEnd: interval.end, workflowId, runId });
  table.open(cycle);
  return { spec, shadow, cycle, olderJobs, table, report: emptyReport(cycle, workflowId) };
}

async function runStages(run: DryRun): Promise<Compared> {
  const { spec, shadow, cycle, table, report } = run;
  await settleOlderJobs(run.olderJobs);
  await table.run('turn', (detail) => takeShadowTurn(spec, cycle, report, detail));

  const batch = await table.run('discover', async (detail) => {
    // What was loaded before is on record by the dataset's own name.
    const found = await data.discoverBatches({ cycle: { ...cycle, dataset: spec.dataset }, spec: comparedByWorker(spec) });
    detail(discoverSentence(found));
    return found;
  });
  report.objectCount = batch.objectCount;
  if (batch.objectCount === 0) return nothingToCompare(report, 'no raw object arrived that was not loaded before');

  report.records = await table.run('dedup', async (detail) => {
    await data.freezeDryRunBase({ cycle, spec });
    const counts = await dedupBatch(spec, cycle, batch, report.epoch, (soFar) => detail(dedupSentence(soFar)), data.dedupDryChunks);
    detail(dedupSentence(counts));
    return counts;
  });
  if (report.records.stored === 0) return nothingToCompare(report, 'every record was a duplicate or would go to quarantine');

  const transformed = await table.run('transform', (detail) => transformBatch(shadow, cycle, report, detail, () => short.prepareDryTransform({ cycle, spec })));

  // By the declaration's own rulesets and table: the gate's partitions are the generation's.
  const gate = await table.run('check', async (detail) => {
    const verdict = await checkBatch(spec, cycle, transformed, detail);
    await short.removeGatePartitions({ cycle, spec });
    return verdict;
  });
  report.rules = gate.rules;
  const failed = failedRules(gate.rules);
  if (failed.length === 0) return await compare(run, transformed, gate);

  report.outcome = CycleOutcome.Rejected;
  report.reason = failed.map((rule) => `${rule.step}: ${rule.rule} (${rule.message ?? rule.result})`).join('; ');
  try {
    // A cycle would end here. Whoever asks what would change wants to see the rows that the gate would keep out, if they load at all.
    return await compare(run, transformed, gate);
  } catch (error) {
    if (isCancellation(error)) throw error;
    report.reason += `; and could not be compared: ${rootMessage(error)}`;
    return { shadow: [] };
  }
}

/** Loads the shadow, promotes it where a cycle would have been promoted, and compares. */
async function compare({ spec, shadow, cycle, table, report }: DryRun, transformed: Transformed, gate: GateVerdict): Promise<Compared> {
  const { output } = transformed;
  const records = report.records ?? NO_RECORDS;
  const candidates = await table.run('load', async (detail): Promise<readonly ServedRelation[]> => {
    await short.checkLiveContract({ spec, manifest: output.manifest });
    return await loadCandidates(shadow, cycle, report.epoch, transformed, detail);
  });
  if (report.outcome !== CycleOutcome.Rejected) {
    proveCounts(shadow, report.workflowId, { records }, transformed, gate, candidates);
    await table.run('promote', (detail) => promoteCandidates(shadow, cycle, report.epoch, candidates, report, detail));
  }
  const diff = await table.run('diff', async (detail) => {
    const findings = { records, transform: { inputRows: output.inputRows, quarantined: output.quarantined }, rules: report.rules };
    const found = await data.diffDryRun({ cycle, spec, findings });
    detail(found.relations.map((each) => `${each.relation}: ${each.added} added, ${each.removed} removed, ${each.changed} changed`).join('; '));
    return found;
  });
  return { shadow: candidates, diff };
}

function reportOf({ report, table }: DryRun, compared: Compared, keptUntil?: string): DryRunReport {
  const { cycle, workflowId, outcome, reason, objectCount, records, rules, jobRunId } = report;
  return {
    ...{ cycle, workflowId, outcome, objectCount, rules, stages: table.stages },
    ...(reason === undefined ? {} : { reason }),
    ...(records === undefined ? {} : { records }),
    ...(jobRunId === undefined ? {} : { jobRunId }),
    ...compared,
    ...(keptUntil === undefined ? {} : { keptUntil }),
  };
}

function finish(table: StageTable, report: ReportDraft): void {
  table.close(report.outcome);
  upsertSearchAttributes([{ key: outcomeAttribute, value: report.outcome }]);
}

function nothingToCompare(report: ReportDraft, reason: string): Compared {
  report.outcome = CycleOutcome.Empty;
  report.reason = reason;
  return { shadow: [] };
}

function requestedKeepMs({ keepHours = DEFAULT_KEEP_HOURS }: DryRunInput): number {
  if (Number.isFinite(keepHours) && keepHours >= 0 && keepHours <= MOST_KEEP_HOURS) return Math.round(keepHours * HOUR_MS);
  throw ApplicationFailure.nonRetryable(
    `keepHours: expected a number from 0 to ${MOST_KEEP_HOURS}, found ${JSON.stringify(keepHours)}`,
    FailureType.InvalidRequest,
  );
}
