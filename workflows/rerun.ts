import type { CycleRef } from '../domain/cycle';
import type { RecordCounts } from '../domain/documents';
import type { PipelineSpec } from '../domain/pipeline-spec';
import type { RerunRequest } from '../domain/rerun';
import { dataStep, shortStep } from './activity-options';
import { dedupSentence } from './dedup-batch';
import { describedActivities, promptActivities } from './described-activities';
import type { GateVerdict } from './quality-gate';
import type { ReportDraft } from './report-draft';
import type { StageTable } from './stage-table';
import { noteRefresh, type Transformed } from './stages';

const short = promptActivities(shortStep);
const data = describedActivities(dataStep);

/** What a rerun need not do again; nothing for a cycle that is no rerun. */
export interface Reused {
  readonly records?: RecordCounts;
  /** The generation that stored the records. */
  readonly data?: CycleRef;
  readonly transformed?: Transformed;
  /** The generation whose transform output is reused. */
  readonly output?: CycleRef;
  readonly gate?: GateVerdict;
}

/** Takes over what earlier generations left, under the turn; or lets their set-aside objects be read again. */
export async function reuseEarlier(
  spec: PipelineSpec,
  cycle: CycleRef,
  request: RerunRequest | undefined,
  table: StageTable,
  report: ReportDraft,
): Promise<Reused> {
  if (request === undefined) return {};
  const plan = await short.planRerun({ spec, intervalEnd: cycle.intervalEnd, request, generation: cycle.generation });
  report.rerun = plan;
  const { records, gate } = await short.reuseResults({ cycle, plan });
  if (records === undefined || plan.data === undefined) {
    await data.releaseObjects({ cycle });
    return {};
  }
  report.records = records;
  const since = `of generation ${plan.data.generation}`;
  table.reuse('discover', `reused ${since}`);
  table.reuse('dedup', `reused ${since}: ${dedupSentence(records)}`);
  if (plan.output === undefined) return { records, data: plan.data };
  const transformed = {
    prepared: await short.readTransformInput({ cycle: plan.output, spec }),
    output: await short.readJobManifest({ cycle: plan.output, spec }),
  };
  noteRefresh(report, transformed.prepared);
  table.reuse('transform', `reused of generation ${plan.output.generation}: ${transformed.output.relations.map((each) => `${each.name} ${each.rows} rows`).join(', ')}`);
  if (gate !== undefined) table.reuse('check', `reused of generation ${plan.output.generation}: ${gate.rules.length} rules`);
  return { records, data: plan.data, transformed, output: plan.output, ...(gate === undefined ? {} : { gate }) };
}
