import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { LakeKey } from './lake-key';

/** Whose outcomes are told. */
export interface OutcomeAlertsProps {
  readonly pipelines: readonly PipelineSpec[];
  readonly key: LakeKey;
}
