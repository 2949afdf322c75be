import { CycleOutcome, type CycleRef } from '../domain/cycle';
import { NO_RECORDS, totalQuarantined } from '../domain/conservation';
import type { CycleReport, StageProgress } from '../domain/progress';
import type { QualityStep } from '../domain/ruleset';

/** The report while the cycle still writes it. */
export type ReportDraft = { -readonly [K in keyof Omit<CycleReport, 'stages'>]: CycleReport[K] } & {
  /** The dataset's turn; 0 until it is taken. */
  epoch: number;
  /** Rows that the gate counted: a rerun from the load is held against them. */
  gate?: Readonly<Record<QualityStep, number>>;
};

export function emptyReport(cycle: CycleRef, workflowId: string): ReportDraft {
  return { cycle, workflowId, outcome: CycleOutcome.Failed, objectCount: 0, served: [], rules: [], epoch: 0 };
}

/** What the cycle's durable record keeps of it. */
export function closingOf(report: ReportDraft) {
  return {
    cycle: report.cycle,
    outcome: report.outcome,
    detail: report.reason ?? '',
    counts: {
      objects: report.objectCount,
      records: report.records ?? NO_RECORDS,
      rules: report.rules,
      served: report.served,
      ...(report.refresh === undefined ? {} : { refresh: report.refresh }),
      ...(report.gate === undefined ? {} : { gate: report.gate }),
      ...(report.decision === undefined ? {} : { decision: report.decision }),
    },
  };
}

/** What subscribers are told: counts, no data. @param stages - of a cycle that ended */
export function announcementOf(report: ReportDraft, stages: readonly StageProgress[] = []) {
  const records = report.records ?? NO_RECORDS;
  return {
    cycle: report.cycle,
    outcome: report.outcome,
    ...(report.reason === undefined ? {} : { reason: report.reason }),
    counts: {
      RecordsRead: records.read,
      RecordsStored: records.stored,
      RecordsDuplicate: records.duplicates,
      RecordsQuarantined: totalQuarantined(records.quarantined),
    },
    ...(stages.length === 0 ? {} : { seconds: secondsOf(stages), ...(report.spark === undefined ? {} : { spark: report.spark }) }),
    ...(report.served.length === 0 ? {} : { served: Object.fromEntries(report.served.map(({ view, rows }) => [view, rows])) }),
  };
}

function secondsOf(stages: readonly StageProgress[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    stages.flatMap(({ stage, startedAtMs, finishedAtMs }) =>
      startedAtMs === undefined || finishedAtMs === undefined ? [] : [[stage, (finishedAtMs - startedAtMs) / 1_000]],
    ),
  );
}
