import type { Catalog } from './catalog';
import type { LakeBuckets } from './lake-buckets';

/** What evaluation runs read and write. */
export interface QualityRoleProps {
  readonly buckets: LakeBuckets;
  readonly catalog: Catalog;
}
