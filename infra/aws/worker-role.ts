import { CfnParameter, Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { acceptWildcards } from './accepted-findings';
import { grantListing, grantReading, grantWriting } from './bucket-grants';
import type { WorkerRoleProps } from './worker-role-props';

/** What the Temporal worker runs as: exactly the calls of `activities/` and `worker/consumer/`, on the resources of this stack (S2.21). */
export class WorkerRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, props: WorkerRoleProps) {
    super(scope, id);
    const principal = new CfnParameter(this, 'Principal', {
      type: 'String',
      default: 'ecs-tasks.amazonaws.com',
      allowedValues: ['ecs-tasks.amazonaws.com', 'ec2.amazonaws.com', 'pods.eks.amazonaws.com'],
      description: 'The service that runs the worker',
    });
    principal.overrideLogicalId('WorkerServicePrincipal');
    this.role = new Role(this, 'Role', {
      description: 'Meridian: the Temporal worker',
      assumedBy: new ServicePrincipal(principal.valueAsString).withSessionTags(),
    });
    this.grantLake(props);
    this.grantJobs(props);
    this.grantCatalog(props);
    this.allow(['sqs:ChangeMessageVisibility', 'sqs:DeleteMessage', 'sqs:ReceiveMessage'], [props.arrivals.queue.queueArn]);
  }

  private grantLake({ buckets, tables }: WorkerRoleProps): void {
    const { raw, storage, refined, quarantine, artifacts } = buckets;
    grantListing(this.role, raw, storage, refined, quarantine, artifacts);
    grantReading(this.role, raw.arnForObjects('*'), refined.arnForObjects('*'));
    grantReading(this.role, ...['jobs/*', 'logs/*', 'reference/*'].map((keys) => artifacts.arnForObjects(keys)));
    grantWriting(
      this.role,
      storage.arnForObjects('*'),
      quarantine.arnForObjects('*'),
      artifacts.arnForObjects('cycles/*'),
      artifacts.arnForObjects('dry-runs/*'),
    );
    // It adds histories, and neither reads nor removes what today's code is held against.
    this.allow(['s3:PutObject'], [artifacts.arnForObjects('archive/histories/*')]);
    acceptWildcards(this.role, 'One object for each execution that ended, named by its ids', artifacts.arnForObjects('archive/histories/*'));
    // A transaction is allowed by the actions that it consists of.
    this.allow(
      [
        'BatchGetItem',
        'BatchWriteItem',
        'ConditionCheckItem',
        'DeleteItem',
        'GetItem',
        'PutItem',
        'Query',
        'UpdateItem',
      ].map((action) => `dynamodb:${action}`),
      [tables.ledger.tableArn, tables.objects.tableArn],
    );
  }

  private grantJobs({ spark, jobRole, qualityRole }: WorkerRoleProps): void {
    const application = spark.application.attrArn;
    this.allow(
      ['emr-serverless:GetApplication', 'emr-serverless:ListJobRuns', 'emr-serverless:StartJobRun'],
      [application],
    );
    this.allow(
      ['emr-serverless:CancelJobRun', 'emr-serverless:GetJobRun', 'emr-serverless:TagResource'],
      [`${application}/jobruns/*`],
    );
    acceptWildcards(this.role, 'Runs of this one application, with ids that EMR Serverless draws', `${application}/jobruns/*`);
    for (const [role, service] of [
      [jobRole, 'emr-serverless.amazonaws.com'],
      [qualityRole, 'glue.amazonaws.com'],
    ] as const) {
      this.allow(['iam:PassRole'], [role.roleArn], { StringEquals: { 'iam:PassedToService': service } });
    }
  }

  private grantCatalog({ catalog, alerts }: WorkerRoleProps): void {
    const glue = (resource: string) => Stack.of(this).formatArn({ service: 'glue', resource });
    this.allow(
      [
        'glue:BatchCreatePartition',
        'glue:DeletePartition',
        'glue:GetPartition',
        'glue:GetPartitions',
        'glue:GetTable',
      ],
      [glue('catalog'), glue(`database/${catalog.databaseName}`), glue(`table/${catalog.databaseName}/*`)],
    );
    // Runs and results are resources of the ruleset type, with ids that Glue draws.
    this.allow(
      [
        'CancelDataQualityRulesetEvaluationRun',
        'CreateDataQualityRuleset',
        'GetDataQualityResult',
        'GetDataQualityRuleset',
        'GetDataQualityRulesetEvaluationRun',
        'StartDataQualityRulesetEvaluationRun',
      ].map((action) => `glue:${action}`),
      [glue('dataQualityRuleset/*')],
    );
    this.allow(['sns:Publish'], [alerts.topic.topicArn]);
    // PutMetricData knows no resources, only namespaces.
    this.allow(['cloudwatch:PutMetricData'], ['*'], { StringEquals: { 'cloudwatch:namespace': 'Meridian' } });
    acceptWildcards(this.role, 'PutMetricData knows no resources: the condition holds it to one namespace', '*');
    acceptWildcards(this.role, 'Tables and partitions of this one database: cycles add partitions to them at run time', glue(`table/${catalog.databaseName}/*`));
    acceptWildcards(this.role, 'Runs and results are resources of the ruleset type, with ids that Glue draws', glue('dataQualityRuleset/*'));
  }

  private allow(actions: readonly string[], resources: readonly string[], conditions = {}): void {
    this.role.addToPolicy(new PolicyStatement({ actions: [...actions], resources: [...resources], conditions }));
  }
}
