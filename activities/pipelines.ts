import { ApplicationFailure } from '@temporalio/common';
import type { DataInterval } from '../domain/data-interval';
import { FailureType } from '../domain/failure-type';
import { askedInterval, type IngestDeclaration, runsOnObject } from '../domain/ingest';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { validatePipeline } from '../domain/validate-pipeline';

export interface ResolvePipelineInput {
  readonly pipeline: string;
  /** RFC 3339; only for a cycle that arriving objects started. */
  readonly intervalStart?: string;
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
      const spec = declared(deps.pipelines, input.pipeline);
      return { spec, interval: intervalOf(input, spec) };
    },

    /**
     * What is declared now about the pipeline's arriving objects; undefined when they start no cycles. Idempotent: reads only.
     * @throws `UnknownPipeline`, `InvalidPipeline`, neither of them retryable
     */
    async resolveIngest({ pipeline }: { readonly pipeline: string }): Promise<IngestDeclaration | undefined> {
      const spec = declared(deps.pipelines, pipeline);
      const { name, dataset, intervalHours, raw, dedup, ingest } = spec;
      return ingest !== undefined && runsOnObject(spec) ? { name, dataset, intervalHours, raw, dedup, ingest } : undefined;
    },
  };
}
export type PipelineActivities = ReturnType<typeof createPipelineActivities>;

function declared(pipelines: readonly PipelineSpec[], name: string): PipelineSpec {
  const spec = pipelines.find((each) => each.name === name);
  if (spec === undefined) {
    const known = pipelines.map((each) => each.name).join(', ');
    throw ApplicationFailure.nonRetryable(
      `No pipeline is named "${name}": this worker knows ${known}. Declare it in pipelines/ and restart the worker`,
      FailureType.UnknownPipeline,
    );
  }
  const faults = validatePipeline(spec);
  if (faults.length > 0) {
    throw ApplicationFailure.nonRetryable(`Pipeline "${spec.name}" has ${faults.length} fault(s): ${faults.join('; ')}`, FailureType.InvalidPipeline);
  }
  return spec;
}

function intervalOf(input: ResolvePipelineInput, spec: PipelineSpec): DataInterval {
  try {
    return askedInterval(spec, input, new Date(input.startedAt));
  } catch (error) {
    throw ApplicationFailure.nonRetryable(
      `${error instanceof Error ? error.message : String(error)} [pipeline=${spec.name}]`,
      FailureType.InvalidInterval,
    );
  }
}
