import { Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { IConstruct } from 'constructs';

/** A rule that a resource breaks, or an excuse of that rule on a construct: both by the construct's path. */
export interface RuleAt {
  readonly rule: string;
  readonly path: string;
}

export interface Excuse extends RuleAt {
  readonly reason: string;
}

export interface NagReport {
  readonly findings: readonly RuleAt[];
  readonly excuses: readonly Excuse[];
  readonly unexplained: readonly RuleAt[];
  readonly unused: readonly Excuse[];
}

/** What cdk-nag's AwsSolutions rules find in the tree below `scope`, held against the excuses in it. */
export function nagReport(scope: IConstruct): NagReport {
  const findings = findingsIn(scope);
  const excuses = excusesIn(scope);
  const explains = (excuse: RuleAt, finding: RuleAt) => excuse.rule === finding.rule && `${finding.path}/`.startsWith(`${excuse.path}/`);
  return {
    findings,
    excuses,
    unexplained: findings.filter((finding) => !excuses.some((excuse) => explains(excuse, finding))),
    unused: excuses.filter((excuse) => !findings.some((finding) => explains(excuse, finding))),
  };
}

/** Excused ones too, which the pack itself keeps to itself. */
function findingsIn(scope: IConstruct): readonly RuleAt[] {
  const pack = new AwsSolutionsChecks();
  Object.assign(pack, { isAcknowledged: () => false });
  return pack
    .validateScope(scope)
    .violations.flatMap(({ ruleName, violatingResources }) => violatingResources.map(({ constructPath }) => ({ rule: ruleName, path: constructPath ?? '' })));
}

/** Every excuse in the tree below `scope`. */
export function excusesIn(scope: IConstruct): readonly Excuse[] {
  return scope.node.findAll().flatMap(excusesOn);
}

function excusesOn(construct: IConstruct): readonly Excuse[] {
  return construct.node.metadata
    .filter(({ type }) => type === Validations.ACKNOWLEDGED_RULES_METADATA_KEY)
    .flatMap(({ data }) => Object.entries(data as Readonly<Record<string, string>>))
    .map(([rule, reason]) => ({ rule: rule.replace(/^annotation::/i, ''), path: construct.node.path, reason }))
    .filter(({ rule }) => rule.startsWith('AwsSolutions-')); // the CDK's own rules are excused in the same place
}
