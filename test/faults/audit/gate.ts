import { GetDataQualityResultCommand, GetDataQualityRulesetEvaluationRunCommand } from '@aws-sdk/client-glue';
import { QUALITY_STEPS } from '../../../domain/ruleset';
import type { Evidence } from './evidence';
import type { PromotionRow } from './record';
import { type AuditedNight, Findings, type Finding, type Invariant } from './subject';

/** I4: what was promoted had passed every rule, or a person had approved it by name, asked of Glue itself, and held exactly what was stored by then. */
export async function auditGate(evidence: Evidence): Promise<Finding> {
  const { subject, record } = evidence;
  const findings = new Findings('I4');
  for (const promotion of record.promotions) {
    const generation = record.generations.find(({ name }) => name === promotion.generation);
    if (generation?.outcome !== 'promoted') {
      findings.add(`promotion ${promotion.sequence} is of ${promotion.generation}, whose outcome is ${generation?.outcome ?? 'unknown'}`);
    }
    if (promotion.kind !== 'cycle') continue;
    for (const step of QUALITY_STEPS) {
      const fault = await gateFault(evidence, promotion, step);
      if (fault !== undefined) findings.add(`promotion ${promotion.sequence} of ${promotion.generation} did not pass its gate: ${fault} [step=${step}]`);
    }
    auditLoaded(evidence, promotion, findings);
  }
  for (const { name, outcome } of record.generations) {
    if (outcome === 'promoted' && !record.promotions.some((promotion) => promotion.generation === name)) {
      findings.add(`the outcome of ${name} is promoted, but it has no promotion`);
    }
  }
  for (const night of subject.nights) auditExpected(evidence, night, findings);
  return { violations: findings.violations, counts: { promotions: record.promotions.length, generations: record.generations.length } };
}

/** What Glue itself says of a step's run; undefined when each rule that was to be asked has passed. */
async function gateFault({ subject, record }: Evidence, promotion: PromotionRow, step: (typeof QUALITY_STEPS)[number]): Promise<string | undefined> {
  const { glue } = subject.access;
  const checks = record.jobs.filter((each) => each.kind === 'glue' && each.step === `check-${step}`);
  const generation = record.generations.find(({ name }) => name === promotion.generation);
  // A rerun from the load promotes what an earlier look had passed.
  const job = generation?.rerun?.from === 'load' ? checks.filter((each) => each.generation < promotion.generation).at(-1) : checks.find((each) => each.generation === promotion.generation);
  if (job?.externalId == null) return 'no run is on record';
  const RunId = job.externalId;
  const run = await glue.send(new GetDataQualityRulesetEvaluationRunCommand({ RunId })).catch((error: unknown) => String(error));
  if (typeof run === 'string') return run;
  if (run.Status !== 'SUCCEEDED') return `run ${RunId} ended ${run.Status}`;
  const results = [];
  for (const ResultId of run.ResultIds ?? []) {
    results.push(...((await glue.send(new GetDataQualityResultCommand({ ResultId }))).RuleResults ?? []));
  }
  const failed = results.filter((result) => result.Result !== 'PASS').map((result) => `${result.Description} is ${result.Result}`);
  const asked = subject.spec.quality[step];
  const passed = new Set(results.filter((result) => result.Result === 'PASS').map((result) => squeeze(result.Description ?? '')));
  const missing = asked.filter((rule) => !passed.has(squeeze(rule))).map((rule) => `${rule} has not passed`);
  const approved = generation?.decision?.decision === 'approve' && promotion.metadata['approvedBy'] === generation.decision.by;
  return approved || failed.length + missing.length === 0 ? undefined : [...failed, ...missing].join('; ');
}

/** The version held every record of the chunks that were live then: those committed under its epoch or an earlier one. */
function auditLoaded({ subject, record, live }: Evidence, promotion: PromotionRow, findings: Findings): void {
  const relation = subject.spec.quality.relation;
  const epochs = new Map(record.generations.map(({ name, epoch }) => [name, epoch ?? Number.POSITIVE_INFINITY]));
  const due = live.filter((chunk) => (epochs.get(chunk.generation) ?? 0) <= promotion.epoch).reduce((sum, chunk) => sum + Object.values(chunk.dates).reduce((rows, count) => rows + count, 0), 0);
  const version = record.versions.find((each) => each.relation === relation && each.version === promotion.relations[relation]);
  if (version?.rows !== due) {
    findings.add(`promotion ${promotion.sequence} served ${version?.rows ?? 'no'} rows of ${relation}, ${due} were stored by then`);
  }
}

/** A late cancellation may find its cycle promoted, which then stands; what must not be served never is. */
function auditExpected({ record }: Evidence, night: AuditedNight, findings: Findings): void {
  const generations = record.generations.filter(({ cycle }) => cycle.intervalEnd === night.intervalEnd);
  const outcome = generations.at(-1)?.outcome ?? 'none';
  const unlike = (invariant: Invariant) => findings.add(`night ${night.intervalEnd} came to ${outcome}, expected ${night.expected}`, invariant);
  switch (night.expected) {
    case 'any':
    case 'terminated':
    case 'cancelled':
      return;
    case 'rejected':
    case 'failed':
      if (outcome !== night.expected) unlike('I4');
      return;
    case 'blocked':
      if (outcome !== night.expected) unlike('X2');
      return;
    case 'promoted':
    case 'empty':
      if (outcome !== night.expected) unlike('I8');
      return;
    default:
      night.expected satisfies never;
  }
}

function squeeze(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
