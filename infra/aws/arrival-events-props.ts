import type { Topic } from 'aws-cdk-lib/aws-sns';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { LakeBuckets } from './lake-buckets';

/** Whose arriving objects are told. */
export interface ArrivalEventsProps {
  readonly pipelines: readonly PipelineSpec[];
  readonly buckets: LakeBuckets;
  /** Told of events that nobody could read. */
  readonly alarmTopic: Topic;
}
