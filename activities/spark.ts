import { Context, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import {
  CancelJobRunCommand,
  type EMRServerlessClient,
  GetJobRunCommand,
  type JobRun,
  JobRunState,
  ListJobRunsCommand,
  StartJobRunCommand,
  type StartJobRunCommandInput,
} from '@aws-sdk/client-emr-serverless';
import type { S3Client } from '@aws-sdk/client-s3';
import { type CycleRef, generationPrefix } from '../domain/cycle';
import type { S3Pointer } from '../domain/documents';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec } from '../domain/pipeline-spec';
import type { SparkUsage } from '../domain/spark-usage';
import { clientToken, parametersHash } from './client-token';
import type { CycleActivities } from './cycles';
import { requiredDedupInput } from './dedup-job/prepare';
import { type DedupRound, dedupStep } from './dedup-job/places';
import { dedupPolicy, type RunPlaces, transformPolicy } from './execution-policy';
import { isGivenUp, pollUntil } from './poll-until';
import { driverErrorLines, withoutValues } from './spark-log';
import { requiredTransformInput } from './transform-input';

export interface SparkDependencies {
  readonly emr: EMRServerlessClient;
  readonly s3: S3Client;
  readonly applicationId: string;
  readonly jobRoleArn: string;
  /** Of runs that deduplicate: those may write storage. */
  readonly dedupRoleArn: string;
  /** `s3://bucket/jobs/<content hash>`: the code of every job, as deployed. */
  readonly jobsUri: string;
  readonly artifactsBucket: string;
  readonly jobRecords: Pick<CycleActivities, 'recordJob' | 'recordJobState'>;
}

export interface SubmitSparkJobInput {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  /** The job's one argument: a TransformInput document. */
  readonly input: S3Pointer;
}

export interface SubmitDedupJobInput extends DedupRound {
  readonly spec: PipelineSpec;
  /** The job's one argument: a DedupInput document. */
  readonly input: S3Pointer;
}

export interface SparkJobRef {
  readonly clientToken: string;
  readonly jobRunId: string;
}

/** Script in `jobs/`. */
const DEDUP_JOB = 'dedup';
/** Outside Java's heap four tasks have a DuckDB of 512 MiB each, and Arrow batches: Spark's tenth of the heap is too little. A pipeline may declare more. */
const DEDUP_CONF = { 'spark.executor.memoryOverhead': '4g' } as const;

/** A run may wait this long in each state before it fails by name; RUNNING is bounded by the pipeline's own timeout. */
const STATE_DEADLINE_MS: Readonly<Partial<Record<JobRunState, number>>> = {
  SUBMITTED: 10 * 60_000,
  PENDING: 15 * 60_000, // the application starts up to its initial capacity
  SCHEDULED: 15 * 60_000, // workers are being allocated
  QUEUED: 60 * 60_000, // EMR's own default for queueTimeoutMinutes is 360; a nightly would rather know
  CANCELLING: 10 * 60_000,
};

/** Activities around one EMR Serverless job run: submitting and awaiting are two, so that a lost await never submits again. */
export function createSparkActivities(deps: SparkDependencies) {
  const { emr, applicationId } = deps;

  async function getJobRun(jobRunId: string): Promise<JobRun> {
    const { jobRun } = await emr.send(new GetJobRunCommand({ applicationId, jobRunId }));
    if (jobRun === undefined) {
      throw ApplicationFailure.create({ message: `EMR Serverless answered without job run ${jobRunId}`, type: FailureType.JobFailed });
    }
    return jobRun;
  }

  async function submit(cycle: CycleRef, spec: PipelineSpec, run: RunRequest): Promise<SparkJobRef> {
    const token = clientToken(cycle, run.step);
    const request = startRequest(deps, cycle, spec, run, token);
    await deps.jobRecords.recordJob({ cycle, step: run.step, kind: 'emr', clientToken: token, parametersHash: parametersHash(request) });
    const { jobRunId } = await emr.send(new StartJobRunCommand(request));
    if (jobRunId === undefined) {
      throw ApplicationFailure.create({ message: `EMR Serverless gave no job run id for token ${token}`, type: FailureType.JobRefused });
    }
    await deps.jobRecords.recordJobState({ clientToken: token, externalId: jobRunId, state: JobRunState.SUBMITTED });
    log.info('Spark job submitted', { jobRunId, job: run.job });
    return { clientToken: token, jobRunId };
  }

  return {
    /**
     * Starts the pipeline's job. Idempotent by the client token of (cycle, 'transform', generation), which is written to
     * the cycle record before the call: a retry after a lost response gets the same run.
     * @throws `JobRefused` when EMR refuses the request itself, `JobOutputInvalid` when the input document is gone; neither retryable
     */
    async submitSparkJob({ cycle, spec, input }: SubmitSparkJobInput): Promise<SparkJobRef> {
      const document = await requiredTransformInput(deps.s3, input);
      return submit(cycle, spec, {
        step: 'transform',
        job: spec.transform.job,
        roleArn: deps.jobRoleArn,
        input,
        // A plan counts on the code that was deployed when it was made.
        jobsUri: document.refresh?.jobsUri ?? deps.jobsUri,
        policyOf: (places) => transformPolicy(document, places),
      });
    },

    /**
     * Starts the run of a round that deduplicates a chunk. Idempotent by the client token of (cycle, generation, chunk, round), as
     * `submitSparkJob`.
     * @throws `JobRefused` when EMR refuses the request itself, `ObjectVanished` when the input document is gone; neither retryable
     */
    async submitDedupJob({ spec, input, ...round }: SubmitDedupJobInput): Promise<SparkJobRef> {
      const document = await requiredDedupInput(deps.s3, input);
      return submit(round.cycle, spec, { step: dedupStep(round), job: DEDUP_JOB, roleArn: deps.dedupRoleArn, input, jobsUri: deps.jobsUri, runConf: DEDUP_CONF, policyOf: (places) => dedupPolicy(document, places) });
    },

    /**
     * Waits for a run to end in SUCCESS, polling with backoff and heartbeating its state. Idempotent: only reads, but on
     * cancellation it cancels the run and returns only once the run is terminal.
     * @throws `JobFailed` with the log's URI and last error lines, `JobCancelled`, `JobOverdue`; none of them retryable
     */
    async awaitSparkJob(input: { readonly cycle: CycleRef; readonly spec: PipelineSpec; readonly job: SparkJobRef }): Promise<SparkJobUsage> {
      const { jobRunId } = input.job;
      let run: JobRun;
      try {
        run = await pollUntil<JobRun>({
          what: `EMR Serverless job run ${jobRunId}`,
          poll: () => getJobRun(jobRunId),
          isDone: (each) => isTerminal(each.state),
          stateOf: (each) => each.state ?? 'UNKNOWN',
          deadlineMs: (state) =>
            state === JobRunState.RUNNING ? input.spec.transform.timeoutMinutes * 60_000 : STATE_DEADLINE_MS[state as JobRunState],
        });
      } catch (error) {
        // Given up for good: nobody will read this run's output, and it costs money. A worker's shutdown or a passing
        // fault is neither; the next attempt goes on waiting for the same run.
        if (isGivenUp(error)) {
          await cancelAndConfirm(deps, getJobRun, jobRunId);
          await deps.jobRecords.recordJobState({ clientToken: input.job.clientToken, state: JobRunState.CANCELLED });
        }
        throw error;
      }
      await deps.jobRecords.recordJobState({ clientToken: input.job.clientToken, state: run.state ?? 'UNKNOWN' });
      if (run.state === JobRunState.SUCCESS) return usageOf(run);
      if (run.state === JobRunState.CANCELLED) {
        throw ApplicationFailure.nonRetryable(
          `EMR Serverless job run ${jobRunId} was cancelled outside Meridian: run the cycle again`,
          FailureType.JobCancelled,
        );
      }
      const { uri, lines } = await driverErrorLines(deps.s3, deps.artifactsBucket, applicationId, jobRunId);
      throw ApplicationFailure.nonRetryable(
        `EMR Serverless job run ${jobRunId} ended ${run.state}: ${withoutValues(run.stateDetails ?? 'no details')}. Log: ${uri}\n${lines.join('\n')}`,
        FailureType.JobFailed,
      );
    },

    /**
     * Makes sure that no run of a token is alive, though its id may have been lost with a response. Idempotent by the token.
     * @param jobs - what the cycle record holds for generations that are given up
     */
    async settleSparkJob(job: { readonly clientToken: string; readonly externalId?: string }): Promise<void> {
      const jobRunId = job.externalId ?? (await findByToken(emr, applicationId, job.clientToken));
      if (jobRunId !== undefined) await cancelAndConfirm(deps, getJobRun, jobRunId);
      await deps.jobRecords.recordJobState({
        clientToken: job.clientToken,
        ...(jobRunId === undefined ? {} : { externalId: jobRunId }),
        state: jobRunId === undefined ? 'NEVER_STARTED' : ((await getJobRun(jobRunId)).state ?? JobRunState.CANCELLED),
      });
    },
  };
}
export type SparkActivities = ReturnType<typeof createSparkActivities>;

/** A run that ended, and what EMR has reported of its use; zero where it has not yet. */
export interface SparkJobUsage extends SparkUsage {
  readonly jobRunId: string;
}

function usageOf(run: JobRun): SparkJobUsage {
  const used = run.totalResourceUtilization;
  return {
    jobRunId: run.jobRunId ?? '',
    vCpuHours: used?.vCPUHour ?? 0,
    memoryGbHours: used?.memoryGBHour ?? 0,
    storageGbHours: used?.storageGBHour ?? 0,
  };
}

/** One run of a script of `jobs/`. */
interface RunRequest {
  readonly step: string;
  /** Its name, without `.py`. */
  readonly job: string;
  readonly roleArn: string;
  readonly input: S3Pointer;
  readonly jobsUri: string;
  /** Spark's settings of the run, where the pipeline declares no other. */
  readonly runConf?: Readonly<Record<string, string>>;
  readonly policyOf: (places: RunPlaces) => string;
}

function startRequest(
  deps: SparkDependencies,
  cycle: CycleRef,
  spec: PipelineSpec,
  { step, job, roleArn, input, jobsUri, runConf, policyOf }: RunRequest,
  token: string,
): StartJobRunCommandInput {
  const logUri = `s3://${deps.artifactsBucket}/logs/`;
  const conf = Object.entries({ ...runConf, ...spec.transform.sparkConf }).flatMap(([key, value]) => ['--conf', `${key}=${value}`]);
  return {
    applicationId: deps.applicationId,
    clientToken: token,
    executionRoleArn: roleArn,
    executionIamPolicy: {
      policy: policyOf({
        input,
        jobsUri,
        logsUri: `${logUri}applications/${deps.applicationId}/jobs/`,
        partition: roleArn.split(':')[1] ?? 'aws',
      }),
    },
    // The token in the name finds the run again when the response with its id was lost.
    name: `${spec.name}-${token.slice(0, 40)}`,
    executionTimeoutMinutes: spec.transform.timeoutMinutes,
    jobDriver: {
      sparkSubmit: {
        entryPoint: `${jobsUri}/${job}.py`,
        entryPointArguments: [`s3://${input.bucket}/${input.key}`],
        sparkSubmitParameters: ['--py-files', `${jobsUri}/meridian_jobs.zip`, ...conf].join(' '),
      },
    },
    configurationOverrides: {
      monitoringConfiguration: { s3MonitoringConfiguration: { logUri } },
    },
    tags: { 'meridian:pipeline': spec.name, 'meridian:generation': generationPrefix(cycle), 'meridian:step': step },
  };
}

function isTerminal(state: JobRunState | undefined): boolean {
  return state === JobRunState.SUCCESS || state === JobRunState.FAILED || state === JobRunState.CANCELLED;
}

async function cancelAndConfirm(
  deps: SparkDependencies,
  getJobRun: (jobRunId: string) => Promise<JobRun>,
  jobRunId: string,
): Promise<void> {
  const deadline = Date.now() + 10 * 60_000;
  for (;;) {
    const run = await getJobRun(jobRunId);
    if (isTerminal(run.state)) return;
    if (run.state !== JobRunState.CANCELLING) {
      await deps.emr.send(new CancelJobRunCommand({ applicationId: deps.applicationId, jobRunId }));
    }
    if (Date.now() > deadline) {
      throw ApplicationFailure.create({
        message: `EMR Serverless job run ${jobRunId} is still ${run.state} 10 minutes after it was cancelled`,
        type: FailureType.JobOverdue,
      });
    }
    Context.current().heartbeat({ jobRunId, state: run.state, cancelling: true });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

async function findByToken(emr: EMRServerlessClient, applicationId: string, token: string): Promise<string | undefined> {
  let nextToken: string | undefined;
  do {
    const page = await emr.send(new ListJobRunsCommand({ applicationId, maxResults: 50, nextToken }));
    const found = page.jobRuns?.find((run) => run.name?.endsWith(token.slice(0, 40)));
    if (found?.id !== undefined) return found.id;
    nextToken = page.nextToken;
  } while (nextToken !== undefined);
  return undefined;
}
