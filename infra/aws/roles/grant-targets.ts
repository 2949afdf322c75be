import type { Stack } from 'aws-cdk-lib';
import type { GrantTarget, Zone } from '../../../domain/activity-groups';
import type { ActivityRolesProps } from './activity-roles-props';

/** The ARNs that a target of a grant stands for in this stack. */
export function targetArns(stack: Stack, props: ActivityRolesProps, target: GrantTarget): readonly string[] {
  const { buckets, tables, spark, catalog } = props;
  const glue = (resource: string) => stack.formatArn({ service: 'glue', resource });
  // Glue asks for the catalog and the database above a table too.
  const glueTables = (tables: string) => [glue('catalog'), glue(`database/${catalog.databaseName}`), glue(`table/${catalog.databaseName}/${tables}`)];
  const [zone = '', prefix] = split(target);
  switch (target) {
    case 'ledger-table':
      return [tables.ledger.tableArn];
    case 'objects-table':
      return [tables.objects.tableArn];
    case 'spark-application':
      return [spark.application.attrArn];
    case 'spark-job-runs':
      return [`${spark.application.attrArn}/jobruns/*`];
    case 'spark-job-role':
      return [props.jobRole.roleArn];
    case 'dedup-job-role':
      return [props.dedupRole.roleArn];
    case 'quality-role':
      return [props.qualityRole.roleArn];
    case 'quality-rulesets':
      return [glue('dataQualityRuleset/*')];
    case 'catalog-tables':
      return glueTables('*');
    case 'candidate-tables':
      return glueTables('*_candidate');
    case 'outcome-topic':
      return [props.alerts.topic.topicArn];
    case 'event-queue':
      return [props.arrivals.queue.queueArn];
    case 'metrics':
      return ['*'];
    default: {
      const bucket = buckets[zone as Zone];
      return [prefix === undefined ? bucket.bucketArn : bucket.arnForObjects(prefix)];
    }
  }
}

/** Why what a target stands for cannot be named one by one, where it has a wildcard. */
export function wildcardReason(target: GrantTarget): string {
  switch (target) {
    case 'metrics':
      return 'PutMetricData knows no resources: the condition holds it to one namespace';
    case 'spark-job-runs':
      return 'Runs of this one application, with ids that EMR Serverless draws';
    case 'quality-rulesets':
      return 'Runs and results are resources of the ruleset type, with ids that Glue draws';
    case 'catalog-tables':
    case 'candidate-tables':
      return 'Tables of this one database: cycles add partitions to them at run time';
    default:
      return 'Keys are drawn by producers and cycles at run time: a policy can name the prefix that they are below, and no single object';
  }
}

function split(target: string): readonly [zone: string, prefix: string | undefined] {
  const slash = target.indexOf('/');
  return slash < 0 ? [target, undefined] : [target.slice(0, slash), target.slice(slash + 1)];
}
