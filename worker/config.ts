import { ACTIVITY_GROUP_NAMES, type ActivityGroup, ROLE_OUTPUTS } from '../domain/activity-groups';
import { DEFAULT_TASK_QUEUE } from '../domain/queue-metric';
import { STACK_OUTPUTS } from '../domain/stack-outputs';
import { transportFaults } from '../edge/aws-endpoints';

/** Everything the worker reads from its environment, read once. Temporal's own settings come through its environment configuration. */
export interface WorkerConfig {
  readonly taskQueue: string;
  readonly region: string;
  readonly buckets: {
    readonly raw: string;
    readonly storage: string;
    readonly refined: string;
    readonly quarantine: string;
    readonly artifacts: string;
  };
  readonly ledgerTable: string;
  readonly objectsTable: string;
  readonly emrApplicationId: string;
  readonly emrJobRoleArn: string;
  readonly emrDedupRoleArn: string;
  readonly glueDatabase: string;
  readonly glueRoleArn: string;
  readonly outcomeTopicArn: string;
  /** Where events of arriving raw objects are taken from. */
  readonly eventQueueUrl: string;
  /** ARN of the role that each group of activities calls AWS in. */
  readonly roles: Readonly<Record<ActivityGroup, string>>;
  readonly jobsUri: string;
  /** Scratch space of dedup: segments and chunks on their way. */
  readonly workDir: string;
  /** DuckDB's own limit; the rest of the worker stays within 512 MiB (design section 10). */
  readonly duckdbMemoryMb: number;
  /** An AWS request without an answer is given up after this long, and tried again. */
  readonly awsTimeoutSeconds: number;
  /** Histories of ended executions are archived so often; 0: never. */
  readonly archiveSeconds: number;
  /** The backlog of the task queue is reported to CloudWatch so often, for the number of workers to follow; 0: never. */
  readonly backlogSeconds: number;
  /** Something starts another worker when this one ends: then one whose password was rotated ends itself. */
  readonly supervised: boolean;
  /** Pins cycles to this build of the code, see docs/upgrading.md; absent: unversioned, upgraded by patches. */
  readonly build?: { readonly deploymentName: string; readonly buildId: string };
  /** `host:port` that serves Prometheus metrics; absent: none. */
  readonly metricsAddress?: string;
}

const REQUIRED = {
  region: 'AWS_REGION',
  raw: 'MERIDIAN_RAW_BUCKET',
  storage: 'MERIDIAN_STORAGE_BUCKET',
  refined: 'MERIDIAN_REFINED_BUCKET',
  quarantine: 'MERIDIAN_QUARANTINE_BUCKET',
  artifacts: 'MERIDIAN_ARTIFACTS_BUCKET',
  ledgerTable: 'MERIDIAN_LEDGER_TABLE',
  objectsTable: 'MERIDIAN_OBJECTS_TABLE',
  emrApplicationId: 'MERIDIAN_EMR_APPLICATION_ID',
  emrJobRoleArn: 'MERIDIAN_EMR_JOB_ROLE_ARN',
  emrDedupRoleArn: 'MERIDIAN_EMR_DEDUP_ROLE_ARN',
  glueDatabase: 'MERIDIAN_GLUE_DATABASE',
  glueRoleArn: 'MERIDIAN_GLUE_ROLE_ARN',
  outcomeTopicArn: 'MERIDIAN_OUTCOME_TOPIC_ARN',
  eventQueueUrl: 'MERIDIAN_EVENT_QUEUE_URL',
  jobsUri: 'MERIDIAN_JOBS_URI',
  pgHost: 'PGHOST',
  pgDatabase: 'PGDATABASE',
  pgUser: 'PGUSER',
} as const;

/** @throws Error that names every missing or malformed variable at once */
export function readWorkerConfig(env: Readonly<Record<string, string | undefined>>): WorkerConfig {
  const faults: string[] = [];
  const required = (name: string): string => {
    const value = env[name];
    if (value === undefined || value === '') faults.push(`${name} is not set`);
    return value ?? '';
  };
  const values = Object.fromEntries(Object.entries(REQUIRED).map(([key, name]) => [key, required(name)])) as Record<
    keyof typeof REQUIRED,
    string
  >;
  const roles = Object.fromEntries(ACTIVITY_GROUP_NAMES.map((group) => [group, required(STACK_OUTPUTS[ROLE_OUTPUTS[group]])])) as Record<ActivityGroup, string>;
  const memory = env.MERIDIAN_DUCKDB_MEMORY_MB ?? '1024';
  if (!/^\d+$/.test(memory) || Number(memory) < 128) {
    faults.push(`MERIDIAN_DUCKDB_MEMORY_MB: expected a whole number of at least 128, found "${memory}"`);
  }
  const awsTimeout = env.MERIDIAN_AWS_TIMEOUT_SECONDS ?? '60';
  if (!/^\d+$/.test(awsTimeout) || Number(awsTimeout) < 1) {
    faults.push(`MERIDIAN_AWS_TIMEOUT_SECONDS: expected a whole number of at least 1, found "${awsTimeout}"`);
  }
  const archiveSeconds = env.MERIDIAN_ARCHIVE_SECONDS ?? '60';
  if (!/^\d+$/.test(archiveSeconds)) {
    faults.push(`MERIDIAN_ARCHIVE_SECONDS: expected a whole number, 0 for never, found "${archiveSeconds}"`);
  }
  const backlogSeconds = env.MERIDIAN_BACKLOG_SECONDS ?? '0';
  if (!/^\d+$/.test(backlogSeconds)) {
    faults.push(`MERIDIAN_BACKLOG_SECONDS: expected a whole number, 0 for never, found "${backlogSeconds}"`);
  }
  const { MERIDIAN_WORKER_BUILD_ID: buildId } = env;
  const deploymentName = deploymentNameOf(env);
  for (const [name, value] of [['MERIDIAN_WORKER_BUILD_ID', buildId ?? 'none'], [DEPLOYMENT, deploymentName]] as const) {
    if (!isBuildName(value)) faults.push(`${name}: expected 1 to 100 letters, digits, dots, hyphens or underscores, found "${value}"`);
  }
  const metrics = env.MERIDIAN_METRICS_ADDRESS;
  if (metrics !== undefined && !/^[^\s:]+:\d+$/.test(metrics)) {
    faults.push(`MERIDIAN_METRICS_ADDRESS: expected host:port, found "${metrics}"`);
  }
  faults.push(...transportFaults(env));
  if (faults.length > 0) {
    throw new Error(
      `The worker's environment has ${faults.length} fault(s): ${faults.join('; ')}. \`npx meridian up\` writes a complete one for the local stack.`,
    );
  }
  return Object.freeze({
    taskQueue: env.MERIDIAN_TASK_QUEUE ?? DEFAULT_TASK_QUEUE,
    region: values.region,
    buckets: {
      raw: values.raw,
      storage: values.storage,
      refined: values.refined,
      quarantine: values.quarantine,
      artifacts: values.artifacts,
    },
    ledgerTable: values.ledgerTable,
    objectsTable: values.objectsTable,
    emrApplicationId: values.emrApplicationId,
    emrJobRoleArn: values.emrJobRoleArn,
    emrDedupRoleArn: values.emrDedupRoleArn,
    glueDatabase: values.glueDatabase,
    glueRoleArn: values.glueRoleArn,
    outcomeTopicArn: values.outcomeTopicArn,
    eventQueueUrl: values.eventQueueUrl,
    roles,
    jobsUri: values.jobsUri,
    workDir: workDirOf(env),
    duckdbMemoryMb: Number(memory),
    awsTimeoutSeconds: Number(awsTimeout),
    archiveSeconds: Number(archiveSeconds),
    backlogSeconds: Number(backlogSeconds),
    supervised: env.MERIDIAN_SUPERVISED === '1',
    ...(buildId === undefined ? {} : { build: { deploymentName, buildId } }),
    ...(metrics === undefined ? {} : { metricsAddress: metrics }),
  });
}

const DEPLOYMENT = 'MERIDIAN_WORKER_DEPLOYMENT';
/** As a quoted value of a list filter, and beside the `:` that Temporal puts between the two. */
const BUILD_NAME = /^[A-Za-z0-9._-]{1,100}$/;

/** Whether a build or a deployment may be called so. */
export function isBuildName(text: string): boolean {
  return BUILD_NAME.test(text);
}

/** What Temporal calls our workers together; builds are versions of it. */
export function deploymentNameOf(env: Readonly<Record<string, string | undefined>>): string {
  return env[DEPLOYMENT] ?? 'meridian';
}

/** Scratch space of the machine's workers: the workflow bundles are kept there too. */
export function workDirOf(env: Readonly<Record<string, string | undefined>>): string {
  return env.MERIDIAN_WORK_DIR ?? '/tmp/meridian-worker';
}
