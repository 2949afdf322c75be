import { totalQuarantined } from '../../domain/conservation';
import type { CycleReport, StageProgress } from '../../domain/progress';
import type { ReaderSummary } from './reader-loop';

/** One night of the `--json` document. */
export interface NightSummary {
  readonly intervalEnd: string;
  readonly outcome: string;
  readonly read: number;
  readonly stored: number;
  readonly duplicates: number;
  /** Records by reason. */
  readonly quarantined: Readonly<Record<string, number>>;
  /** Rows by relation that the views serve after this night; a rejected one leaves them as they were. */
  readonly served: Readonly<Record<string, number>>;
  readonly rulesPassed: number;
  readonly rulesFailed: number;
  /** Why, unless promoted: each failed rule with what was found. */
  readonly reason?: string;
  /** `null` where nothing was promoted. */
  readonly promotionMs: number | null;
  readonly stages: Readonly<Record<string, number>>;
  readonly readers: ReaderSummary;
}

/** The document that `meridian demo --json` prints. */
export interface DemoSummary {
  readonly nights: readonly NightSummary[];
  readonly temporalUi: string;
  readonly postgresUrl: string;
  readonly awsEndpoint: string;
  readonly totalMs: number;
}

/** A night from the cycle's report, what the views serve after it, and what its readers saw. */
export function summariseNight(report: CycleReport, served: Readonly<Record<string, number>>, readers: ReaderSummary): NightSummary {
  const { records } = report;
  return {
    intervalEnd: report.cycle.intervalEnd,
    outcome: report.outcome,
    read: records?.read ?? 0,
    stored: records?.stored ?? 0,
    duplicates: records?.duplicates ?? 0,
    quarantined: Object.fromEntries(Object.entries(records?.quarantined ?? {}).filter(([, count]) => count > 0)),
    served,
    rulesPassed: report.rules.filter((rule) => rule.result === 'PASS').length,
    rulesFailed: report.rules.filter((rule) => rule.result !== 'PASS').length,
    ...(report.reason === undefined ? {} : { reason: report.reason }),
    promotionMs: report.promotion?.promotedMs ?? null,
    stages: Object.fromEntries(report.stages.flatMap((row) => (stageMs(row) === undefined ? [] : [[row.stage, stageMs(row) ?? 0]]))),
    readers,
  };
}

/** Epoch milliseconds in which a stage ran; undefined when it did not. */
export function windowOf(report: CycleReport, stage: StageProgress['stage']): { readonly fromMs: number; readonly toMs: number } | undefined {
  const row = report.stages.find((each) => each.stage === stage);
  return row?.startedAtMs === undefined || row.finishedAtMs === undefined ? undefined : { fromMs: row.startedAtMs, toMs: row.finishedAtMs };
}

/** The same for a person. */
export function summaryText(summary: DemoSummary): string {
  const lines = summary.nights.flatMap((night) => nightLines(night));
  return [
    ...lines,
    '',
    `Temporal Web UI  ${summary.temporalUi}`,
    `Look at the view psql "${summary.postgresUrl}" -c 'select zone, hour, records, devices from vw_zone_activity order by records desc limit 10'`,
    `AWS endpoint     ${summary.awsEndpoint}`,
    `Took ${(summary.totalMs / 1000).toFixed(0)} s. The stack and a worker stay up until \`npx meridian down\`.`,
  ].join('\n');
}

function nightLines(night: NightSummary): readonly string[] {
  const quarantined = totalQuarantined(night.quarantined);
  const reasons = Object.entries(night.quarantined).map(([reason, count]) => `${reason} ${number(count)}`);
  const { reads, failed, empty, mixed, longestMs } = night.readers;
  return [
    '',
    `Night until ${night.intervalEnd}: ${night.outcome}`,
    `  read       ${number(night.read)} = stored ${number(night.stored)} + duplicates ${number(night.duplicates)} + quarantined ${number(quarantined)}${
      reasons.length === 0 ? '' : ` (${reasons.join(', ')})`
    }`,
    `  serving    ${Object.entries(night.served).map(([relation, rows]) => `${relation} ${number(rows)} rows`).join(', ')}${
      night.outcome === 'promoted' ? '' : ', as before: this night was not promoted'
    }`,
    `  rules      ${night.rulesPassed} passed, ${night.rulesFailed} failed`,
    ...(night.reason === undefined ? [] : [`  why        ${night.reason}`]),
    `  promotion  ${night.promotionMs === null ? 'none' : `${night.promotionMs.toFixed(1)} ms`}`,
    `  readers    ${number(reads)} reads: ${failed} failed, ${empty} empty, ${mixed} mixed; longest ${longestMs.toFixed(1)} ms${
      night.promotionMs === null ? '' : ' while it promoted'
    }`,
    `  stages     ${Object.entries(night.stages).map(([stage, ms]) => `${stage} ${(ms / 1000).toFixed(1)} s`).join(', ')}`,
  ];
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}

function stageMs(row: StageProgress): number | undefined {
  return row.startedAtMs === undefined || row.finishedAtMs === undefined ? undefined : row.finishedAtMs - row.startedAtMs;
}
