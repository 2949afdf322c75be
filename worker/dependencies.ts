import { Client, WorkflowNotFoundError, type ConnectionLike } from '@temporalio/client';
import type { DataConverter } from '@temporalio/common';
import type { Activities } from '../activities';
import { createBackfillActivities } from '../activities/backfills';
import { createBatchActivities } from '../activities/batches';
import { createCycleActivities } from '../activities/cycles';
import { createDataQualityActivities } from '../activities/data-quality';
import { createDedupJobActivities } from '../activities/dedup-job';
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
import { pipelines as declaredPipelines } from '../pipelines';
import { openDatabase } from '../sql/database';
import { claimNotification, confirmNotification } from '../sql/queries/notifications';
import type { WorkerConfig } from './config';
import { declaredActivities } from './declared-activities';
import { type LedgerClients, openGroupClients } from './group-clients';
import { HistoryArchive } from './history-archive';
import { QueueBacklog } from './queue-backlog';

export interface TemporalAccess {
  readonly connection: ConnectionLike;
  readonly namespace: string;
  readonly dataConverter?: DataConverter;
}

/** The one place that makes clients; locally their endpoints differ (AWS_ENDPOINT_URL), not the code. */
export function createDependencies(
  config: WorkerConfig,
  temporal: TemporalAccess,
  pipelines: readonly PipelineSpec[] = declaredPipelines,
): { readonly activities: Activities; readonly archive: HistoryArchive; readonly backlog: QueueBacklog; readonly close: () => Promise<void> } {
  const aws = openGroupClients(config);
  const { ingest, dryRun, transform, gate, load, publish } = aws.clients;
  const database = openDatabase();
  const client = new Client(temporal);
  const { buckets } = config;

  const cycles = createCycleActivities({
    db: database.db,
    isExecutionClosed: (workflowId, runId) => isExecutionClosed(client, workflowId, runId),
  });
  const ledgerOf = (clients: LedgerClients) => ({ ...clients, buckets, ledgerTable: config.ledgerTable, workDir: config.workDir, duckdbMemoryMb: config.duckdbMemoryMb });
  const liveFilesOf = (clients: LedgerClients) => (spec: PipelineSpec) => liveStorageFiles(ledgerOf(clients), { dataset: spec.dataset });
  const declared = declaredActivities({
    ingest: {
      ...createBatchActivities({ ...ingest, buckets, objectsTable: config.objectsTable }),
      ...createLedgerActivities(ledgerOf(ingest)),
      ...createDedupJobActivities({ ...ingest, buckets, ledgerTable: config.ledgerTable }),
      ...createSetAsideActivities({ db: database.db, ...ingest, buckets, objectsTable: config.objectsTable }),
    },
    dryRun: createDryRunActivities({ ...database, ...ledgerOf(dryRun) }),
    transform: {
      ...createTransformDocumentActivities({
        db: database.db,
        ...transform,
        applicationId: config.emrApplicationId,
        jobsUri: config.jobsUri,
        buckets,
        liveStorageFiles: liveFilesOf(transform),
      }),
      ...createSparkActivities({
        emr: transform.emr,
        s3: transform.s3,
        applicationId: config.emrApplicationId,
        jobRoleArn: config.emrJobRoleArn,
        dedupRoleArn: config.emrDedupRoleArn,
        jobsUri: config.jobsUri,
        artifactsBucket: buckets.artifacts,
        jobRecords: cycles,
      }),
      ...createRerunActivities({
        db: database.db,
        s3: transform.s3,
        buckets,
        liveStorageFiles: liveFilesOf(transform),
        chunkTotals: createLedgerActivities(ledgerOf(transform)).chunkTotals,
      }),
    },
    gate: createDataQualityActivities({
      ...gate,
      database: config.glueDatabase,
      roleArn: config.glueRoleArn,
      refinedBucket: buckets.refined,
      artifactsBucket: buckets.artifacts,
      jobRecords: cycles,
    }),
    load: createLoadActivities({ ...database, s3: load.s3 }),
    publish: createPublicationActivities({
      glue: publish.glue,
      sns: publish.sns,
      cloudwatch: publish.cloudwatch,
      glueDatabase: config.glueDatabase,
      topicArn: config.outcomeTopicArn,
      storageBucket: buckets.storage,
      liveStorageFiles: liveFilesOf(publish),
      claimNotification: (outcomeId) => claimNotification(database.db, outcomeId),
      confirmNotification: (outcomeId) => confirmNotification(database.db, outcomeId),
    }),
    events: {},
    backlog: {},
    archive: {},
  });
  return {
    activities: {
      ...createPipelineActivities({ pipelines }),
      ...cycles,
      ...createBackfillActivities({ db: database.db, isExecutionClosed: (workflowId) => isExecutionClosed(client, workflowId) }),
      ...createInboxActivities({ endOfCycle: (workflowId) => endOfCycle(client, workflowId) }),
      ...createPromotionActivities({ ...database }),
      ...createRollbackActivities({ ...database }),
      ...declared,
    },
    archive: new HistoryArchive({ s3: aws.clients.archive.s3, client, bucket: buckets.artifacts, taskQueue: config.taskQueue }),
    backlog: new QueueBacklog({ connection: temporal.connection, cloudwatch: aws.clients.backlog.cloudwatch, namespace: temporal.namespace, taskQueue: config.taskQueue }),
    close: async () => {
      aws.close();
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
