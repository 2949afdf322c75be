/**
 * Every output of the CloudFormation stack that the worker and the CLI need, by the environment variable that carries it.
 * The one place where the two names meet: `infra/aws` makes the outputs, a deployment turns them into the environment.
 */
export const STACK_OUTPUTS = {
  MeridianRawBucket: 'MERIDIAN_RAW_BUCKET',
  MeridianStorageBucket: 'MERIDIAN_STORAGE_BUCKET',
  MeridianRefinedBucket: 'MERIDIAN_REFINED_BUCKET',
  MeridianQuarantineBucket: 'MERIDIAN_QUARANTINE_BUCKET',
  MeridianArtifactsBucket: 'MERIDIAN_ARTIFACTS_BUCKET',
  MeridianLedgerTable: 'MERIDIAN_LEDGER_TABLE',
  MeridianObjectsTable: 'MERIDIAN_OBJECTS_TABLE',
  MeridianEmrApplicationId: 'MERIDIAN_EMR_APPLICATION_ID',
  MeridianEmrJobRoleArn: 'MERIDIAN_EMR_JOB_ROLE_ARN',
  MeridianEmrDedupRoleArn: 'MERIDIAN_EMR_DEDUP_ROLE_ARN',
  MeridianGlueDatabase: 'MERIDIAN_GLUE_DATABASE',
  MeridianGlueRoleArn: 'MERIDIAN_GLUE_ROLE_ARN',
  MeridianOutcomeTopicArn: 'MERIDIAN_OUTCOME_TOPIC_ARN',
  MeridianEventQueueUrl: 'MERIDIAN_EVENT_QUEUE_URL',
  MeridianIngestRoleArn: 'MERIDIAN_INGEST_ROLE_ARN',
  MeridianDryRunRoleArn: 'MERIDIAN_DRY_RUN_ROLE_ARN',
  MeridianTransformRoleArn: 'MERIDIAN_TRANSFORM_ROLE_ARN',
  MeridianGateRoleArn: 'MERIDIAN_GATE_ROLE_ARN',
  MeridianLoadRoleArn: 'MERIDIAN_LOAD_ROLE_ARN',
  MeridianPublishRoleArn: 'MERIDIAN_PUBLISH_ROLE_ARN',
  MeridianEventsRoleArn: 'MERIDIAN_EVENTS_ROLE_ARN',
  MeridianBacklogRoleArn: 'MERIDIAN_BACKLOG_ROLE_ARN',
  MeridianArchiveRoleArn: 'MERIDIAN_ARCHIVE_ROLE_ARN',
} as const;
export type StackOutput = keyof typeof STACK_OUTPUTS;
export type StackVariable = (typeof STACK_OUTPUTS)[StackOutput];
