import type { PipelineSpec } from '../../domain/pipeline-spec';

/** What the stack is made from. */
export interface MeridianStackProps {
  /** Each gets its tables and rulesets in the catalog, and its alarm. */
  readonly pipelines: readonly PipelineSpec[];
}
