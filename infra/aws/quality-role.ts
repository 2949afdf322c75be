import { Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { acceptWildcards } from './accepted-findings';
import { grantListing, grantReading, grantWriting } from './bucket-grants';
import type { QualityRoleProps } from './quality-role-props';

/** What a Glue Data Quality run runs as: reads the candidates, writes its results and metrics. @see Glue, "IAM permissions for Data Quality" */
export class QualityRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, { buckets, catalog }: QualityRoleProps) {
    super(scope, id);
    const stack = Stack.of(this);
    this.role = new Role(this, 'Role', {
      description: 'Meridian: Glue Data Quality runs',
      assumedBy: new ServicePrincipal('glue.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': stack.account } },
      }),
    });
    const allow = (actions: readonly string[], resources: readonly string[], conditions = {}) => {
      this.role.addToPolicy(new PolicyStatement({ actions: [...actions], resources: [...resources], conditions }));
    };
    const glue = (resource: string) => stack.formatArn({ service: 'glue', resource });

    grantListing(this.role, buckets.refined, buckets.artifacts);
    grantReading(this.role, buckets.refined.arnForObjects('*'));
    grantWriting(this.role, buckets.artifacts.arnForObjects('cycles/*/quality/*'));
    // Glue's own libraries for these runs.
    grantReading(this.role, `arn:${stack.partition}:s3:::aws-glue-ml-data-quality-assets-${stack.region}/*`);
    allow(
      ['glue:GetDatabase', 'glue:GetTable', 'glue:GetPartition', 'glue:GetPartitions', 'glue:BatchGetPartition'],
      [glue('catalog'), glue(`database/${catalog.databaseName}`), glue(`table/${catalog.databaseName}/*`)],
    );
    allow(
      [
        'glue:GetDataQualityRuleset',
        'glue:GetDataQualityRulesetEvaluationRun',
        'glue:GetDataQualityResult',
        'glue:PublishDataQuality',
      ],
      [glue('dataQualityRuleset/*')],
    );
    allow(
      ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
      [stack.formatArn({ service: 'logs', resource: 'log-group:/aws-glue/*' })],
    );
    // PutMetricData knows no resources, only namespaces.
    allow(['cloudwatch:PutMetricData'], ['*'], { StringEquals: { 'cloudwatch:namespace': 'Glue Data Quality' } });
    acceptWildcards(this.role, 'PutMetricData knows no resources: the condition holds it to the namespace that Glue writes', '*');
    acceptWildcards(this.role, 'Tables and partitions of this one database: cycles add partitions to them at run time', glue(`table/${catalog.databaseName}/*`));
    acceptWildcards(this.role, 'Runs and results are resources of the ruleset type, with ids that Glue draws', glue('dataQualityRuleset/*'));
    acceptWildcards(this.role, 'Glue names its own log groups and streams below this one', stack.formatArn({ service: 'logs', resource: 'log-group:/aws-glue/*' }));
  }
}
