/**
 * What the worker may do to AWS, by group of activities: the one declaration that the roles of `infra/aws` are made from and that
 * the worker takes its credentials by (S1.13, S2.21). An activity that calls AWS belongs to exactly one group.
 */

/** A bucket of the lake. */
export const ZONES = ['raw', 'storage', 'refined', 'quarantine', 'artifacts'] as const;
export type Zone = (typeof ZONES)[number];

/** What a grant is for: a bucket, objects below a prefix of it, or one named thing of the stack. */
export type GrantTarget =
  | Zone
  | `${Zone}/${string}`
  | 'ledger-table'
  | 'objects-table'
  | 'spark-application'
  | 'spark-job-runs'
  | 'spark-job-role'
  | 'dedup-job-role'
  | 'quality-role'
  | 'quality-rulesets'
  | 'catalog-tables'
  | 'candidate-tables'
  | 'outcome-topic'
  | 'event-queue'
  | 'metrics';

/** Some calls on some things. */
export interface Grant {
  /** As the Service Authorization Reference names them. */
  readonly actions: readonly string[];
  readonly on: readonly GrantTarget[];
  /** IAM's condition block. */
  readonly when?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

interface GroupDeclaration {
  readonly does: string;
  /** Empty: what the worker does beside its activities. */
  readonly activities: readonly string[];
  readonly grants: readonly Grant[];
}

/** Listing a bucket is also what tells a document that is not there (404) from one that may not be read (403). */
const LIST = ['s3:ListBucket'];
/** S3 asks for the second when a request names a version. */
const READ = ['s3:GetObject', 's3:GetObjectVersion'];

/** PutMetricData knows no resources, only namespaces. */
const METRICS = { actions: ['cloudwatch:PutMetricData'], on: ['metrics'], when: { StringEquals: { 'cloudwatch:namespace': 'Meridian' } } } as const;

/** Every group by name. */
export const ACTIVITY_GROUPS = {
  ingest: {
    does: 'finds raw objects, deduplicates them into storage, and keeps the ledger',
    activities: [
      ...['discoverBatches', 'countUnloaded', 'markObjects', 'releaseObjects', 'discardObjects'] as const,
      ...['dedupChunks', 'raiseFence', 'voidCycle', 'chunkTotals'] as const,
      ...['prepareDedupJob', 'commitDedupJob'] as const,
    ],
    grants: [
      { actions: [...LIST, 's3:ListBucketVersions'], on: ['raw'] },
      { actions: READ, on: ['raw/*'] },
      // A Spark run's files are found by their prefix.
      { actions: LIST, on: ['artifacts', 'refined', 'storage', 'quarantine'] },
      { actions: ['s3:GetObject', 's3:PutObject'], on: ['artifacts/cycles/*'] },
      // What a Spark run that deduplicates says of itself.
      { actions: ['s3:GetObject'], on: ['refined/*/_dedup/*'] },
      // Read again when the ledger's segments of a date have expired.
      { actions: ['s3:DeleteObject', 's3:GetObject', 's3:PutObject'], on: ['storage/*'] },
      { actions: ['s3:DeleteObject', 's3:PutObject'], on: ['quarantine/*'] },
      // A transaction is allowed by the actions that it consists of.
      {
        actions: ['BatchGetItem', 'ConditionCheckItem', 'DeleteItem', 'GetItem', 'PutItem', 'Query', 'UpdateItem'].map((action) => `dynamodb:${action}`),
        on: ['ledger-table'],
      },
      { actions: ['BatchWriteItem', 'DeleteItem', 'Query', 'UpdateItem'].map((action) => `dynamodb:${action}`), on: ['objects-table'] },
    ],
  },
  dryRun: {
    does: 'deduplicates, prepares and compares a dry run, whose files stand apart: it can write no record, no ledger and no document of a cycle',
    activities: ['freezeDryRunBase', 'dedupDryChunks', 'prepareDryTransform', 'checkLiveContract', 'diffDryRun', 'dropDryRun'],
    grants: [
      { actions: READ, on: ['raw/*'] },
      { actions: ['s3:GetObject'], on: ['artifacts/cycles/*', 'storage/*', 'refined/*'] },
      { actions: LIST, on: ['artifacts', 'refined'] },
      // A shadow pipeline's name ends in `.dry`, and no declared one has a dot.
      { actions: ['s3:DeleteObject', 's3:GetObject', 's3:PutObject'], on: ['artifacts/cycles/*.dry/*', 'artifacts/dry-runs/*'] },
      { actions: ['dynamodb:BatchGetItem', 'dynamodb:Query'], on: ['ledger-table'] },
    ],
  },
  transform: {
    does: 'writes what a Spark job is given, runs the job, and reads what it left',
    activities: [
      ...['prepareTransform', 'readTransformInput', 'readJobManifest', 'submitSparkJob', 'submitDedupJob', 'awaitSparkJob', 'settleSparkJob'] as const,
      ...['planRerun', 'reuseResults'] as const,
    ],
    grants: [
      { actions: ['s3:GetObject', 's3:PutObject'], on: ['artifacts/cycles/*'] },
      { actions: ['s3:GetObject'], on: ['artifacts/logs/*', 'refined/*'] },
      { actions: LIST, on: ['artifacts', 'refined'] },
      { actions: ['dynamodb:Query'], on: ['ledger-table'] },
      // Rows depend on the release and the image that the application runs.
      { actions: ['emr-serverless:GetApplication', 'emr-serverless:ListJobRuns', 'emr-serverless:StartJobRun'], on: ['spark-application'] },
      { actions: ['emr-serverless:CancelJobRun', 'emr-serverless:GetJobRun', 'emr-serverless:TagResource'], on: ['spark-job-runs'] },
      { actions: ['iam:PassRole'], on: ['spark-job-role', 'dedup-job-role'], when: { StringEquals: { 'iam:PassedToService': 'emr-serverless.amazonaws.com' } } },
    ],
  },
  gate: {
    does: 'shows the candidate rows to Glue and has its rules evaluated',
    activities: ['startQualityRun', 'awaitQualityRun', 'settleQualityRun'],
    grants: [
      // Where the rows of each day stand: in what the job was given, and in what it left.
      { actions: ['s3:GetObject'], on: ['artifacts/cycles/*', 'refined/*'] },
      { actions: LIST, on: ['artifacts', 'refined'] },
      { actions: ['glue:BatchCreatePartition'], on: ['candidate-tables'] },
      // Runs and results are resources of the ruleset type, with ids that Glue draws.
      {
        actions: [
          'CancelDataQualityRulesetEvaluationRun',
          'CreateDataQualityRuleset',
          'GetDataQualityResult',
          'GetDataQualityRuleset',
          'GetDataQualityRulesetEvaluationRun',
          'StartDataQualityRulesetEvaluationRun',
        ].map((action) => `glue:${action}`),
        on: ['quality-rulesets'],
      },
      { actions: ['iam:PassRole'], on: ['quality-role'], when: { StringEquals: { 'iam:PassedToService': 'glue.amazonaws.com' } } },
    ],
  },
  load: {
    does: 'copies the job’s parts into PostgreSQL',
    activities: ['createCandidate', 'loadRelation', 'finishCandidate', 'dropCandidates'],
    grants: [
      { actions: ['s3:GetObject'], on: ['artifacts/cycles/*', 'refined/*'] },
      { actions: LIST, on: ['artifacts', 'refined'] },
    ],
  },
  publish: {
    does: 'adds what was stored to the catalog, takes out what the gate has seen, and tells the outcome',
    activities: ['publishPartitions', 'removeGatePartitions', 'announceOutcome'],
    grants: [
      { actions: ['dynamodb:Query'], on: ['ledger-table'] },
      { actions: ['s3:GetObject'], on: ['artifacts/cycles/*'] },
      { actions: LIST, on: ['artifacts'] },
      { actions: ['glue:BatchCreatePartition'], on: ['catalog-tables'] },
      { actions: ['glue:DeletePartition', 'glue:GetPartitions'], on: ['candidate-tables'] },
      { actions: ['sns:Publish'], on: ['outcome-topic'] },
      METRICS,
    ],
  },
  events: {
    does: 'takes events of arriving raw objects from the queue',
    activities: [],
    grants: [{ actions: ['sqs:ChangeMessageVisibility', 'sqs:DeleteMessage', 'sqs:ReceiveMessage'], on: ['event-queue'] }],
  },
  backlog: {
    does: 'reports how many tasks wait for a worker',
    activities: [],
    grants: [METRICS],
  },
  archive: {
    does: 'adds histories of ended executions, and neither reads nor removes what today’s code is held against',
    activities: [],
    grants: [
      { actions: LIST, on: ['artifacts'], when: { StringLike: { 's3:prefix': 'archive/histories/*' } } },
      { actions: ['s3:PutObject'], on: ['artifacts/archive/histories/*'] },
    ],
  },
} as const satisfies Readonly<Record<string, GroupDeclaration>>;
export type ActivityGroup = keyof typeof ACTIVITY_GROUPS;
export type ActivityOf<G extends ActivityGroup> = (typeof ACTIVITY_GROUPS)[G]['activities'][number];

/** The groups in the order of the table. */
export const ACTIVITY_GROUP_NAMES = Object.keys(ACTIVITY_GROUPS) as readonly ActivityGroup[];

/** The stack output that carries the ARN of each group's role. */
export const ROLE_OUTPUTS = {
  ingest: 'MeridianIngestRoleArn',
  dryRun: 'MeridianDryRunRoleArn',
  transform: 'MeridianTransformRoleArn',
  gate: 'MeridianGateRoleArn',
  load: 'MeridianLoadRoleArn',
  publish: 'MeridianPublishRoleArn',
  events: 'MeridianEventsRoleArn',
  backlog: 'MeridianBacklogRoleArn',
  archive: 'MeridianArchiveRoleArn',
} as const satisfies Readonly<Record<ActivityGroup, string>>;
export type RoleOutput = (typeof ROLE_OUTPUTS)[ActivityGroup];
