import type { PipelineSpec } from '../../domain/pipeline-spec';

/** Whose outcomes are told. */
export interface OutcomeAlertsProps {
  readonly pipelines: readonly PipelineSpec[];
}
