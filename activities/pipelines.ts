import { ApplicationFailure } from '@temporalio/common';
import { requestedInterval } from '../domain/calendar';
import type { DataInterval } from '../domain/data-interval';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { validatePipeline } from '../domain/validate-pipeline';

export interface ResolvePipelineInput {
  readonly pipeline: string;
  /** RFC 3339; absent: the last interval that had closed at `startedAt`. */
  readonly intervalEnd?: string;
  /** The execution's start, or the Schedule's tick, RFC 3339. */
  readonly startedAt: string;
}

export interface ResolvedPipeline {
  readonly spec: PipelineSpec;
  readonly interval: DataInterval;
}

/** Activities that read the declarations this worker was built with. */
export function createPipelineActivities(deps: { readonly pipelines: readonly PipelineSpec[] }) {
  return {
    /**
     * The declaration as this cycle will use it, recorded in its history: editing a pipeline never changes a running cycle.
     * Idempotent: reads only.
     * @throws `UnknownPipeline`, `InvalidPipeline`, `InvalidInterval`, none of them retryable
     */
    async resolvePipeline(input: ResolvePipelineInput): Promise<ResolvedPipeline> {
      const spec = deps.pipelines.find((each) => each.name === input.pipeline);
      if (spec === undefined) {
        const known = deps.pipelines.map((each) => each.name).join(', ');
        throw ApplicationFailure.nonRetryable(
          `No pipeline is named "${input.pipeline}": this worker knows ${known}. Declare it in pipelines/ and restart the worker`,
          FailureType.UnknownPipeline,
        );
      }
      const faults = validatePipeline(spec);
      if (faults.length > 0) {
        throw ApplicationFailure.nonRetryable(
          `Pipeline "${spec.name}" has ${faults.length} fault(s): ${faults.join('; ')}`,
          FailureType.InvalidPipeline,
        );
      }
      return { spec, interval: intervalOf(input, spec) };
    },
  };
}
export type PipelineActivities = ReturnType<typeof createPipelineActivities>;

function intervalOf(input: ResolvePipelineInput, spec: PipelineSpec): DataInterval {
  try {
    return requestedInterval(spec, input.intervalEnd, new Date(input.startedAt));
  } catch (error) {
    throw ApplicationFailure.nonRetryable(
      `${error instanceof Error ? error.message : String(error)} [pipeline=${spec.name}]`,
      FailureType.InvalidInterval,
    );
  }
}
