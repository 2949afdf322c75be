import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { LakeBuckets } from './lake-buckets';

/** What the catalog describes. */
export interface CatalogProps {
  readonly pipelines: readonly PipelineSpec[];
  readonly buckets: LakeBuckets;
}
