import type { LakeBuckets } from './lake-buckets';
import type { SparkApplication } from './spark-application';

/** What jobs read and write. */
export interface SparkJobRoleProps {
  readonly buckets: LakeBuckets;
  readonly spark: SparkApplication;
}
