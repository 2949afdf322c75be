import type { CfnLogGroup } from 'aws-cdk-lib/aws-logs';
import type { Database } from './database';
import type { RuntimeParameters } from './runtime-parameters';

/** What a worker is started with. */
export interface WorkerTaskProps {
  readonly parameters: RuntimeParameters;
  readonly database: Database;
  readonly logs: CfnLogGroup;
}
