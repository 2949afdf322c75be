import type { Topic } from 'aws-cdk-lib/aws-sns';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { LakeBuckets } from './lake-buckets';
import type { LakeKey } from './lake-key';

/** Whose arriving objects are told. */
export interface ArrivalEventsProps {
  readonly pipelines: readonly PipelineSpec[];
  readonly buckets: LakeBuckets;
  readonly key: LakeKey;
  /** Told of events that nobody could read. */
  readonly alarmTopic: Topic;
}
