import { totalQuarantined } from '../domain/conservation';
import { type Decision, decisionSentence } from '../domain/decision';
import type { RecordCounts } from '../domain/documents';
import type { CycleReport, RuleOutcome, ServedRelation } from '../domain/progress';
import { refreshSentence } from '../domain/refresh';
import type { CycleLineage } from '../sql/queries/lineage';
import { outcomeWord } from './cycle-table';
import { took, utcAndLocal } from './times';

/** What the cycle's record keeps, as `closingOf` writes it; nothing of it before the cycle has closed. */
interface ClosedCounts {
  readonly objects?: number;
  readonly records?: RecordCounts;
  readonly rules?: readonly RuleOutcome[];
  readonly served?: readonly ServedRelation[];
  readonly refresh?: CycleReport['refresh'];
  readonly decision?: Decision;
}

/** A cycle from its raw objects to what readers see, for a person. */
export function lineageText({ record, jobs, promotion, told }: CycleLineage, zone?: string): string {
  const { cycle, openedAt, closedAt } = record;
  const counts: ClosedCounts = record.counts;
  return [
    `${cycle.pipeline} [${cycle.intervalStart}, ${cycle.intervalEnd}) generation ${cycle.generation}: ${outcomeWord(record)}`,
    ...(record.detail ? [`  why        ${record.detail.trimEnd().replaceAll('\n', `\n${' '.repeat(13)}`)}`] : []),
    `  ran        ${utcAndLocal(openedAt, zone)}${closedAt === null ? ', still open' : `, took ${took(openedAt, closedAt)}`}`,
    ...(record.rerun === null ? [] : [`  rerun      from ${record.rerun.from}`]),
    ...recordLines(counts),
    ...jobs.map((job) => `  job        ${job.step}: ${job.kind === 'emr' ? 'EMR Serverless' : 'Glue Data Quality'} run ${job.externalId ?? 'not known to the service'}, ${job.state}`),
    ...ruleLines(counts.rules ?? []),
    ...(counts.refresh === undefined ? [] : [`  days       ${refreshSentence(counts.refresh)}`]),
    ...(counts.decision === undefined ? [] : [`  decision   ${decisionSentence(counts.decision)}, ${utcAndLocal(counts.decision.at, zone)}`]),
    ...(promotion === undefined ? [] : [`  promotion  ${promotion.sequence}, ${utcAndLocal(promotion.promotedAt, zone)}, by ${promotion.promotedBy}`]),
    ...(counts.served ?? []).map((each) => `  served     ${each.view} → ${each.table}: ${each.rows} rows`),
    ...told.map((each) => `  told       ${each.outcomeId}: ${each.confirmedAt === null ? 'not confirmed' : utcAndLocal(each.confirmedAt, zone)}`),
  ].join('\n');
}

function recordLines({ objects, records }: ClosedCounts): readonly string[] {
  if (records === undefined) return [];
  const total = totalQuarantined(records.quarantined);
  return [
    `  records    ${objects ?? 0} raw objects: read ${records.read} = stored ${records.stored} + duplicates ${records.duplicates} + quarantined ${total}`,
    ...Object.entries(records.quarantined).map(([reason, count]) => `  quarantine ${reason}: ${count}`),
  ];
}

function ruleLines(rules: readonly RuleOutcome[]): readonly string[] {
  if (rules.length === 0) return [];
  const failed = rules.filter((rule) => rule.result !== 'PASS');
  return [
    `  rules      ${rules.length - failed.length} of ${rules.length} passed`,
    ...failed.map((rule) => `    ${rule.result} ${rule.step}: ${rule.rule}${rule.message === undefined ? '' : ` (${rule.message})`}`),
  ];
}
