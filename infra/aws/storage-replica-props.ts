import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { LakeKey } from './lake-key';

/** What is copied to another region. */
export interface StorageReplicaProps {
  readonly storage: Bucket;
  readonly key: LakeKey;
}
