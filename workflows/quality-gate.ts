import { ApplicationFailure, CancellationScope } from '@temporalio/workflow';
import type { StartQualityRunInput } from '../activities/data-quality';
import type { TransformDocuments } from '../activities/gate-partitions';
import type { CycleRef } from '../domain/cycle';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec } from '../domain/pipeline-spec';
import type { RuleOutcome } from '../domain/progress';
import type { QualityStep } from '../domain/ruleset';
import { shortStep, waitStep } from './activity-options';
import { describedActivities, promptActivities } from './described-activities';

const { startQualityRun } = promptActivities(shortStep);
const { awaitQualityRun } = describedActivities(waitStep);

export interface GateVerdict {
  readonly rules: readonly RuleOutcome[];
  readonly rowCounts: Readonly<Record<QualityStep, number>>;
}

/** Both looks of the gate at once; should one fail, the other's run is cancelled, not left to be paid for. */
export async function checkQuality(spec: PipelineSpec, cycle: CycleRef, documents: TransformDocuments, output?: CycleRef): Promise<GateVerdict> {
  return CancellationScope.cancellable(async () => {
    const scope = CancellationScope.current();
    const looks = (['added', 'served'] as const).map((step) => lookAt({ cycle, spec, step, documents, ...(output === undefined ? {} : { output }) }));
    try {
      const [added, served] = await Promise.all(looks);
      if (added === undefined || served === undefined) throw new TypeError('unreachable: two looks give two verdicts');
      return {
        rules: [...added.rules, ...served.rules],
        rowCounts: { added: added.rowCount, served: served.rowCount },
      };
    } catch (error) {
      scope.cancel();
      await Promise.allSettled(looks);
      throw error;
    }
  });
}

export function failedRules(rules: readonly RuleOutcome[]): readonly RuleOutcome[] {
  return rules.filter((rule) => rule.result !== 'PASS');
}

async function lookAt(input: StartQualityRunInput) {
  const { cycle, spec, step } = input;
  const run = await startQualityRun(input);
  const verdict = await awaitQualityRun({ cycle, spec, step, ...run });
  if (verdict.rowCount === undefined && failedRules(verdict.rules).length === 0) {
    throw ApplicationFailure.nonRetryable(
      `Glue data quality run ${run.runId} passed every rule but gave no row count: the load cannot be held against it [step=${step}]`,
      FailureType.QualityRunFailed,
    );
  }
  return { rules: verdict.rules, rowCount: verdict.rowCount ?? 0 };
}
