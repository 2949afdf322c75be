import type { PipelineSpec } from '../../domain/pipeline-spec';

/** Whose jobs run on the application. */
export interface SparkApplicationProps {
  readonly pipelines: readonly PipelineSpec[];
}
