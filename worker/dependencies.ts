import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EMRServerlessClient } from '@aws-sdk/client-emr-serverless';
import { GlueClient } from '@aws-sdk/client-glue';
import { S3Client } from '@aws-sdk/client-s3';
import { SNSClient } from '@aws-sdk/client-sns';
import { Client, WorkflowNotFoundError, type ConnectionLike } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import type { Activities } from '../activities';
import { createBackfillActivities } from '../activities/backfills';
import { createBatchActivities } from '../activities/batches';
import { createCycleActivities } from '../activities/cycles';
import { createDataQualityActivities } from '../activities/data-quality';
import { createDryRunActivities } from '../activities/dry-run';
import { createInboxActivities } from '../activities/inbox';
import { createLedgerActivities, liveStorageFiles } from '../activities/ledger';
import { createLoadActivities } from '../activities/load';
import { createPipelineActivities } from '../activities/pipelines';
import { createPromotionActivities } from '../activities/promotion';
import { createPublicationActivities } from '../activities/publication';
import { createRerunActivities } from '../activities/reruns';
import { createRollbackActivities } from '../activities/rollback';
import { createSetAsideActivities } from '../activities/set-aside';
import { createSparkActivities } from '../activities/spark';
import { createTransformDocumentActivities } from '../activities/transform-documents';
import type { PipelineSpec } from '../domain/pipeline-spec';
import type { CycleReport } from '../domain/progress';
import { withTransportCheck } from '../edge/aws-endpoints';
import { pipelines as declaredPipelines } from '../pipelines';
import { openDatabase } from '../sql/database';
import { claimNotification, confirmNotification } from '../sql/queries/notifications';
import type { WorkerConfig } from './config';
import { HistoryArchive } from './history-archive';
import { QueueBacklog } from './queue-backlog';

export interface TemporalAccess {
  readonly connection: ConnectionLike;
  readonly namespace: string;
  readonly dataConverter?: DataConverter;
}

const AWS_ATTEMPTS = 4;

/** The one place that makes clients; locally their endpoints differ (AWS_ENDPOINT_URL), not the code. */
export function createDependencies(
  config: WorkerConfig,
  temporal: TemporalAccess,
  pipelines: readonly PipelineSpec[] = declaredPipelines,
): { readonly activities: Activities; readonly archive: HistoryArchive; readonly backlog: QueueBacklog; readonly close: () => Promise<void> } {
  // An AWS call is given up and retried by the SDK, then by the activity; without limits a silent peer would hold it for ever,
  // and unless told to throw the SDK only warns of a request that is over time.
  const limits = { connectionTimeout: 5_000, requestTimeout: config.awsTimeoutSeconds * 1_000, throwOnRequestTimeout: true };
  const aws = { region: config.region, maxAttempts: AWS_ATTEMPTS, requestHandler: limits };
  const s3 = withTransportCheck(new S3Client(aws));
  const dynamodb = withTransportCheck(new DynamoDBClient(aws));
  const emr = withTransportCheck(new EMRServerlessClient(aws));
  const glue = withTransportCheck(new GlueClient(aws));
  // Told again only by a new attempt, which asks first whether the outcome was told: the SDK's own retries would not (I9).
  const sns = withTransportCheck(new SNSClient({ ...aws, maxAttempts: 1 }));
  const cloudwatch = withTransportCheck(new CloudWatchClient(aws));
  const database = openDatabase();
  const client = new Client(temporal);
  const { buckets } = config;

  const cycles = createCycleActivities({
    db: database.db,
    isExecutionClosed: (workflowId, runId) => isExecutionClosed(client, workflowId, runId),
  });
  const liveFiles = (spec: PipelineSpec) => liveStorageFiles({ s3, dynamodb, buckets, ledgerTable: config.ledgerTable }, { dataset: spec.dataset });
  const ledgerAccess = { s3, dynamodb, buckets, ledgerTable: config.ledgerTable, workDir: config.workDir, duckdbMemoryMb: config.duckdbMemoryMb };
  const ledger = createLedgerActivities(ledgerAccess);
  const activities: Activities = {
    ...createPipelineActivities({ pipelines }),
    ...cycles,
    ...createBackfillActivities({ db: database.db, isExecutionClosed: (workflowId) => isExecutionClosed(client, workflowId) }),
    ...createBatchActivities({ s3, dynamodb, buckets, objectsTable: config.objectsTable }),
    ...createInboxActivities({ endOfCycle: (workflowId) => endOfCycle(client, workflowId) }),
    ...ledger,
    ...createDryRunActivities({ ...database, ...ledgerAccess }),
    ...createTransformDocumentActivities({ s3, buckets, liveStorageFiles: liveFiles }),
    ...createSparkActivities({
      emr,
      s3,
      applicationId: config.emrApplicationId,
      jobRoleArn: config.emrJobRoleArn,
      jobsUri: config.jobsUri,
      artifactsBucket: buckets.artifacts,
      jobRecords: cycles,
    }),
    ...createDataQualityActivities({
      glue,
      database: config.glueDatabase,
      roleArn: config.glueRoleArn,
      refinedBucket: buckets.refined,
      artifactsBucket: buckets.artifacts,
      jobRecords: cycles,
    }),
    ...createLoadActivities({ ...database, s3 }),
    ...createPromotionActivities({ ...database }),
    ...createRollbackActivities({ ...database }),
    ...createRerunActivities({ db: database.db, s3, buckets, liveStorageFiles: liveFiles, chunkTotals: ledger.chunkTotals }),
    ...createSetAsideActivities({ db: database.db, s3, dynamodb, buckets, objectsTable: config.objectsTable }),
    ...createPublicationActivities({
      glue,
      sns,
      cloudwatch,
      glueDatabase: config.glueDatabase,
      topicArn: config.outcomeTopicArn,
      storageBucket: buckets.storage,
      liveStorageFiles: liveFiles,
      claimNotification: (outcomeId) => claimNotification(database.db, outcomeId),
      confirmNotification: (outcomeId) => confirmNotification(database.db, outcomeId),
    }),
  };
  return {
    activities,
    archive: new HistoryArchive({ s3, client, bucket: buckets.artifacts, taskQueue: config.taskQueue }),
    backlog: new QueueBacklog({ connection: temporal.connection, cloudwatch, namespace: temporal.namespace, taskQueue: config.taskQueue }),
    close: async () => {
      for (const each of [s3, dynamodb, emr, glue, sns, cloudwatch]) each.destroy();
      await database.close();
    },
  };
}

/** @param runId - absent: the newest execution of that id */
async function isExecutionClosed(client: Client, workflowId: string, runId?: string): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(workflowId, runId).describe();
    return status.name !== 'RUNNING';
  } catch (error) {
    // Past the namespace's retention: long closed.
    if (error instanceof WorkflowNotFoundError) return true;
    throw error;
  }
}

async function endOfCycle(client: Client, workflowId: string): Promise<string | undefined> {
  const handle = client.workflow.getHandle(workflowId);
  try {
    const { status } = await handle.describe();
    if (status.name === 'RUNNING') return undefined;
    return status.name === 'COMPLETED' ? ((await handle.result()) as CycleReport).outcome : status.name.toLowerCase();
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'unknown'; // past the namespace's retention: long closed
    throw error;
  }
}
