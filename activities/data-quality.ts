import { Context, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import {
  CancelDataQualityRulesetEvaluationRunCommand,
  CreateDataQualityRulesetCommand,
  type DataQualityRuleResult,
  EntityNotFoundException,
  GetDataQualityResultCommand,
  GetDataQualityRulesetCommand,
  GetDataQualityRulesetEvaluationRunCommand,
  type GetDataQualityRulesetEvaluationRunCommandOutput,
  type GlueClient,
  StartDataQualityRulesetEvaluationRunCommand,
  type TaskStatusType,
} from '@aws-sdk/client-glue';
import type { S3Client } from '@aws-sdk/client-s3';
import { type CycleRef, generationPrefix } from '../domain/cycle';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec } from '../domain/pipeline-spec';
import type { RuleOutcome } from '../domain/progress';
import { type QualityStep, rulesetName, rulesetText } from '../domain/ruleset';
import { clientToken, parametersHash } from './client-token';
import type { CycleActivities } from './cycles';
import { candidateCatalogTable, createGatePartitions, gatePartitions, gatePredicate, type TransformDocuments } from './gate-partitions';
import { isGivenUp, pollUntil } from './poll-until';

export interface DataQualityDependencies {
  readonly glue: GlueClient;
  readonly s3: S3Client;
  readonly database: string;
  readonly roleArn: string;
  readonly refinedBucket: string;
  readonly artifactsBucket: string;
  readonly jobRecords: Pick<CycleActivities, 'recordJob' | 'recordJobState'>;
}

export interface StartQualityRunInput {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  readonly step: QualityStep;
  /** The earlier generation whose transform output a rerun checks; absent: the cycle's own. */
  readonly output?: CycleRef;
  /** Of the transform: where the rows of each day stand, with a pipeline that is refreshed by day. */
  readonly documents?: TransformDocuments;
}

export interface QualityVerdict {
  readonly runId: string;
  readonly rules: readonly RuleOutcome[];
  /** As the gate counted them; undefined when no RowCount rule gave a metric. */
  readonly rowCount?: number;
}

/** Glue keeps a run waiting for capacity in STARTING. @see Glue `Timeout`, in minutes, default 2,880: far too long here. */
const RUN_TIMEOUT_MINUTES = 60;
const WORKERS = 5; // Glue's default for an evaluation run
const STATE_DEADLINE_MS: Readonly<Partial<Record<TaskStatusType, number>>> = {
  STARTING: 20 * 60_000,
  RUNNING: (RUN_TIMEOUT_MINUTES + 5) * 60_000,
  STOPPING: 10 * 60_000,
};

/** Activities around one Glue Data Quality evaluation run over the rows that a cycle added, or over all that would be served. */
export function createDataQualityActivities(deps: DataQualityDependencies) {
  const { glue } = deps;

  return {
    /**
     * Makes the generation's refined rows visible to Glue as partitions, and starts the run. Idempotent by the client token of
     * (cycle, step, generation).
     * @throws `JobRefused`, not retryable, through the failure interceptor
     */
    async startQualityRun({ cycle, spec, step, output = cycle, documents }: StartQualityRunInput): Promise<{ clientToken: string; runId: string }> {
      const partitions = await gatePartitions(deps, { spec, output, ...(documents === undefined ? {} : { documents }) });
      await createGatePartitions(glue, deps.database, spec, cycle, partitions);
      const ruleset = await ensureRuleset(glue, spec, step);
      const token = clientToken(cycle, `check-${step}`);
      const request = {
        ClientToken: token,
        DataSource: {
          GlueTable: {
            DatabaseName: deps.database,
            TableName: candidateCatalogTable(spec.dataset),
            AdditionalOptions: { pushDownPredicate: gatePredicate(cycle, step, spec) },
          },
        },
        Role: deps.roleArn,
        RulesetNames: [ruleset],
        NumberOfWorkers: WORKERS,
        Timeout: RUN_TIMEOUT_MINUTES,
        AdditionalRunOptions: {
          CloudWatchMetricsEnabled: true,
          ResultsS3Prefix: `s3://${deps.artifactsBucket}/cycles/${generationPrefix(cycle)}/quality/${step}/`,
        },
      };
      await deps.jobRecords.recordJob({ cycle, step: `check-${step}`, kind: 'glue', clientToken: token, parametersHash: parametersHash(request) });
      const { RunId } = await glue.send(new StartDataQualityRulesetEvaluationRunCommand(request));
      if (RunId === undefined) {
        throw ApplicationFailure.create({ message: `Glue gave no run id for token ${token}`, type: FailureType.JobRefused });
      }
      await deps.jobRecords.recordJobState({ clientToken: token, externalId: RunId, state: 'STARTING' });
      log.info('Quality run started', { runId: RunId, step });
      return { clientToken: token, runId: RunId };
    },

    /**
     * Waits for the run and gives one outcome for every rule that was asked: a rule without a result counts as ERROR, so the
     * gate fails closed. Idempotent: reads only; on cancellation it cancels the run and confirms.
     * @throws `QualityRunFailed`, not retryable; `JobOverdue`
     */
    async awaitQualityRun(input: StartQualityRunInput & { readonly clientToken: string; readonly runId: string }): Promise<QualityVerdict> {
      const { spec, step, runId } = input;
      let run: GetDataQualityRulesetEvaluationRunCommandOutput;
      try {
        run = await pollUntil({
          what: `Glue data quality run ${runId}`,
          poll: () => glue.send(new GetDataQualityRulesetEvaluationRunCommand({ RunId: runId })),
          isDone: (each) => isTerminal(each.Status),
          stateOf: (each) => each.Status ?? 'UNKNOWN',
          deadlineMs: (state) => STATE_DEADLINE_MS[state as TaskStatusType],
        });
      } catch (error) {
        if (isGivenUp(error)) {
          await stopAndConfirm(glue, runId);
          await deps.jobRecords.recordJobState({ clientToken: input.clientToken, state: 'STOPPED' });
        }
        throw error;
      }
      await deps.jobRecords.recordJobState({ clientToken: input.clientToken, state: run.Status ?? 'UNKNOWN' });
      if (run.Status !== 'SUCCEEDED') {
        throw ApplicationFailure.nonRetryable(
          `Glue data quality run ${runId} ended ${run.Status}: ${run.ErrorString ?? 'no error text'} [step=${step}]`,
          FailureType.QualityRunFailed,
        );
      }
      const results: DataQualityRuleResult[] = [];
      for (const ResultId of run.ResultIds ?? []) {
        const result = await glue.send(new GetDataQualityResultCommand({ ResultId }));
        results.push(...(result.RuleResults ?? []));
      }
      const rowCount = rowCountOf(results);
      return {
        runId,
        rules: outcomesOf(spec.quality[step], results, step),
        ...(rowCount === undefined ? {} : { rowCount }),
      };
    },

    /** Makes sure that no evaluation run of a token is alive. Idempotent by the token. */
    async settleQualityRun(job: { readonly clientToken: string; readonly externalId?: string }): Promise<void> {
      // A run whose id was lost with a response cannot be found by its token in Glue's API; it ends by its own time-out.
      if (job.externalId !== undefined) await stopAndConfirm(glue, job.externalId);
      await deps.jobRecords.recordJobState({ clientToken: job.clientToken, state: 'STOPPED' });
    },
  };
}
export type DataQualityActivities = ReturnType<typeof createDataQualityActivities>;

/** The deployed ruleset of these rules; made here when a deployment changed them under a running cycle. */
async function ensureRuleset(glue: GlueClient, spec: PipelineSpec, step: QualityStep): Promise<string> {
  const rules = spec.quality[step];
  const name = rulesetName(spec.name, step, rules);
  try {
    await glue.send(new GetDataQualityRulesetCommand({ Name: name }));
  } catch (error) {
    if (!(error instanceof EntityNotFoundException)) throw error;
    await glue.send(new CreateDataQualityRulesetCommand({ Name: name, Ruleset: rulesetText(rules), ClientToken: name }));
  }
  return name;
}

function isTerminal(status: TaskStatusType | undefined): boolean {
  return status === 'SUCCEEDED' || status === 'FAILED' || status === 'STOPPED' || status === 'TIMEOUT';
}

/** Rules are matched by text, since Glue numbers results by its own order; white space is not part of a rule. */
function outcomesOf(rules: readonly string[], results: readonly DataQualityRuleResult[], step: QualityStep): readonly RuleOutcome[] {
  const squeeze = (text: string) => text.replace(/\s+/g, ' ').trim();
  return rules.map((rule) => {
    const found = results.find((result) => squeeze(result.Description ?? '') === squeeze(rule));
    if (found === undefined) return { step, rule, result: 'ERROR', message: 'Glue gave no result for this rule' };
    return {
      step,
      rule,
      result: found.Result ?? 'ERROR',
      ...(found.EvaluationMessage === undefined ? {} : { message: found.EvaluationMessage }),
    };
  });
}

/** Deequ names the metric `Dataset.*.RowCount`. */
function rowCountOf(results: readonly DataQualityRuleResult[]): number | undefined {
  for (const result of results) {
    const value = result.EvaluatedMetrics?.['Dataset.*.RowCount'];
    if (value !== undefined) return value;
  }
  return undefined;
}

async function stopAndConfirm(glue: GlueClient, runId: string): Promise<void> {
  const deadline = Date.now() + 10 * 60_000;
  for (;;) {
    const { Status } = await glue.send(new GetDataQualityRulesetEvaluationRunCommand({ RunId: runId }));
    if (isTerminal(Status)) return;
    if (Status !== 'STOPPING') await glue.send(new CancelDataQualityRulesetEvaluationRunCommand({ RunId: runId }));
    if (Date.now() > deadline) {
      throw ApplicationFailure.create({
        message: `Glue data quality run ${runId} is still ${Status} 10 minutes after it was cancelled`,
        type: FailureType.JobOverdue,
      });
    }
    Context.current().heartbeat({ runId, state: Status, cancelling: true });
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}
