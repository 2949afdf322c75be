import { GetJobRunCommand, paginateListJobRuns } from '@aws-sdk/client-emr-serverless';
import { GetDataQualityRulesetEvaluationRunCommand, ListDataQualityRulesetEvaluationRunsCommand } from '@aws-sdk/client-glue';
import { shadowName } from '../../../domain/shadow-pipeline';
import type { AuditSubject } from './subject';

/** A run as the service lists it, of whatever age. */
export interface ServiceRun {
  readonly kind: 'emr' | 'glue';
  readonly id: string;
  readonly state: string;
  /** What the same submit, repeated, would share with it: for EMR the token in its name, for Glue what it was asked to look at. */
  readonly submit: string;
  /** EMR: `<pipeline>/<compact end>/g0001`; Glue: the same with dashes. Empty when the run does not say. */
  readonly generation: string;
  readonly step: string;
}

/** Every run of the pipeline that EMR Serverless and Glue Data Quality know of. */
export async function listServiceRuns(subject: AuditSubject): Promise<readonly ServiceRun[]> {
  return [...(await listSparkRuns(subject)), ...(await listQualityRuns(subject))];
}

async function listSparkRuns({ spec, access }: AuditSubject): Promise<readonly ServiceRun[]> {
  const { emr, names } = access;
  const runs: ServiceRun[] = [];
  for await (const page of paginateListJobRuns({ client: emr, pageSize: 50 }, { applicationId: names.emrApplicationId })) {
    for (const { id = '', name = '', state = '' } of page.jobRuns ?? []) {
      if (!name.startsWith(`${spec.name}-`)) continue;
      const { jobRun } = await emr.send(new GetJobRunCommand({ applicationId: names.emrApplicationId, jobRunId: id }));
      if (jobRun?.tags?.['meridian:pipeline'] !== spec.name) continue; // another pipeline's whose name begins with this one's
      const generation = jobRun.tags['meridian:generation'] ?? '';
      runs.push({ kind: 'emr', id, state, submit: name.slice(spec.name.length + 1), generation, step: jobRun.tags['meridian:step'] ?? '' });
    }
  }
  return runs;
}

async function listQualityRuns({ spec, access: { glue, names } }: AuditSubject): Promise<readonly ServiceRun[]> {
  const runs: ServiceRun[] = [];
  let NextToken: string | undefined;
  do {
    const page = await glue.send(new ListDataQualityRulesetEvaluationRunsCommand({ MaxResults: 100, ...(NextToken === undefined ? {} : { NextToken }) }));
    for (const { RunId = '', DataSource } of page.Runs ?? []) {
      const table = DataSource?.GlueTable;
      if (table?.DatabaseName !== names.glueDatabase || table.TableName !== `${spec.dataset}_candidate`) continue;
      const run = await glue.send(new GetDataQualityRulesetEvaluationRunCommand({ RunId }));
      const predicate = run.DataSource?.GlueTable?.AdditionalOptions?.['pushDownPredicate'] ?? '';
      const generation = /run_id = '([^']*)'/.exec(predicate)?.[1] ?? '';
      if (generation.startsWith(`${shadowName(spec.name)}-`)) continue; // a dry run's: it has records of its own
      runs.push({
        kind: 'glue',
        id: RunId,
        state: run.Status ?? '',
        submit: predicate,
        generation,
        step: predicate.includes('added') && !predicate.includes("'kept'") ? 'check-added' : 'check-served',
      });
    }
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  return runs;
}

const TERMINAL = ['SUCCESS', 'FAILED', 'CANCELLED', 'SUCCEEDED', 'STOPPED', 'TIMEOUT'];

/** True for a run that costs nothing any more. */
export function isTerminal(run: ServiceRun): boolean {
  return TERMINAL.includes(run.state);
}
