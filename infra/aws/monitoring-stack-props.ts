import type { PipelineSpec } from '../../domain/pipeline-spec';

/** What the stack is made from. */
export interface MonitoringStackProps {
  /** Each gets a row of the dashboard, and its alarm of old data. */
  readonly pipelines: readonly PipelineSpec[];
}
