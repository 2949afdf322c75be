import { BootstraplessSynthesizer, CfnOutput, type IStackSynthesizer, Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import { STACK_OUTPUTS, type StackOutput } from '../../domain/stack-outputs';
import { ArrivalEvents } from './arrival-events';
import { Catalog } from './catalog';
import { DedupJobRole } from './dedup-job-role';
import { DedupTables } from './dedup-tables';
import { exportName } from './imported';
import { LakeBuckets } from './lake-buckets';
import { LakeKey } from './lake-key';
import type { MeridianStackProps } from './meridian-stack-props';
import { OutcomeAlerts } from './outcome-alerts';
import { QualityRole } from './quality-role';
import { ActivityRoles } from './roles/activity-roles';
import { SparkApplication } from './spark-application';
import { SparkJobRole } from './spark-job-role';
import { StorageReplica } from './storage-replica';
import { WorkerImage } from './worker-image';

/**
 * All that a cycle needs in one AWS account and region. Without assets and bootstrap, so that CreateStack takes the template
 * as it is: on AWS and locally.
 */
export class MeridianStack extends Stack {
  constructor(scope: Construct, id: string, { pipelines }: MeridianStackProps) {
    super(scope, id, {
      // The cast: CDK's types are not written for exactOptionalPropertyTypes.
      synthesizer: new BootstraplessSynthesizer() as IStackSynthesizer,
      description: 'Meridian: durable ETL cycles for geospatial data',
    });
    const key = new LakeKey(this, 'Key');
    const buckets = new LakeBuckets(this, 'Lake', { key });
    new StorageReplica(this, 'StorageReplica', { storage: buckets.storage, key });
    const tables = new DedupTables(this, 'Dedup', { key });
    const spark = new SparkApplication(this, 'Spark', { pipelines });
    const catalog = new Catalog(this, 'Catalog', { pipelines, buckets });
    const alerts = new OutcomeAlerts(this, 'Outcomes', { pipelines, key });
    const arrivals = new ArrivalEvents(this, 'Arrivals', { pipelines, buckets, key, alarmTopic: alerts.topic });
    const { role: jobRole } = new SparkJobRole(this, 'SparkJob', { buckets, spark });
    const { role: dedupRole } = new DedupJobRole(this, 'DedupJob', { buckets, spark });
    const { role: qualityRole } = new QualityRole(this, 'Quality', { buckets, catalog });
    const roles = new ActivityRoles(this, 'Roles', { buckets, tables, spark, catalog, alerts, arrivals, jobRole, dedupRole, qualityRole });
    key.allowData(...roles.ofData, jobRole, dedupRole, qualityRole);
    key.allowTables(...roles.ofTables);

    const values: Readonly<Record<StackOutput, string>> = {
      MeridianRawBucket: buckets.raw.bucketName,
      MeridianStorageBucket: buckets.storage.bucketName,
      MeridianRefinedBucket: buckets.refined.bucketName,
      MeridianQuarantineBucket: buckets.quarantine.bucketName,
      MeridianArtifactsBucket: buckets.artifacts.bucketName,
      MeridianLedgerTable: tables.ledger.tableName,
      MeridianObjectsTable: tables.objects.tableName,
      MeridianEmrApplicationId: spark.application.attrApplicationId,
      MeridianEmrJobRoleArn: jobRole.roleArn,
      MeridianEmrDedupRoleArn: dedupRole.roleArn,
      MeridianGlueDatabase: catalog.databaseName,
      MeridianGlueRoleArn: qualityRole.roleArn,
      MeridianOutcomeTopicArn: alerts.topic.topicArn,
      MeridianEventQueueUrl: arrivals.queue.queueUrl,
      ...roles.outputs,
    };
    for (const key of Object.keys(STACK_OUTPUTS) as StackOutput[]) {
      new CfnOutput(this, key, { value: values[key], description: STACK_OUTPUTS[key], exportName: exportName(key) });
    }
    const { repository } = new WorkerImage(this, 'WorkerImage');
    for (const [key, value, description] of [
      ['WorkerRoleArn', roles.worker.roleArn, 'For the task or instance that runs the worker'],
      ['DeadLetterQueueName', arrivals.deadLetters.queueName, 'Events that nobody could read'],
      ['WorkerImageRepositoryUri', repository.repositoryUri, 'Where the worker image is pushed'],
      ['WorkerImageRepositoryArn', repository.repositoryArn, 'What the runtime stack may pull from'],
    ] as const) {
      new CfnOutput(this, key, { value, description, exportName: exportName(key) });
    }
    new CfnOutput(this, 'SparkImageRepositoryUri', {
      value: spark.repository.repositoryUri,
      description: 'Where the Spark image is pushed',
    });
  }
}
