import type { IRole } from 'aws-cdk-lib/aws-iam';
import type { ArrivalEvents } from '../arrival-events';
import type { Catalog } from '../catalog';
import type { DedupTables } from '../dedup-tables';
import type { LakeBuckets } from '../lake-buckets';
import type { OutcomeAlerts } from '../outcome-alerts';
import type { SparkApplication } from '../spark-application';

/** All that activities call. */
export interface ActivityRolesProps {
  readonly buckets: LakeBuckets;
  readonly tables: DedupTables;
  readonly spark: SparkApplication;
  readonly catalog: Catalog;
  readonly alerts: OutcomeAlerts;
  readonly arrivals: ArrivalEvents;
  /** The only three roles that are handed on to a service. */
  readonly jobRole: IRole;
  readonly dedupRole: IRole;
  readonly qualityRole: IRole;
}
