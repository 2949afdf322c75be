import type { PipelineSpec } from '../../domain/pipeline-spec';

/** Whose data must not grow old, and who is told. */
export interface FreshnessAlarmsProps {
  readonly pipelines: readonly PipelineSpec[];
  readonly topicArn: string;
}
