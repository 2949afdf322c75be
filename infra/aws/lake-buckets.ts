import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type BucketProps,
  ObjectOwnership,
  StorageClass,
} from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { acceptFinding } from './accepted-findings';

/** The zones of the lake. CloudFormation names the buckets; none is ever public, and none is deleted with the stack (S2.22, S2.23). */
export class LakeBuckets extends Construct {
  /** As devices delivered; versioned, since a cycle pins the version that it discovered. */
  readonly raw: Bucket;
  /** Deduplicated Parquet: the files of committed chunks, so nothing expires here. */
  readonly storage: Bucket;
  /** What transform jobs wrote for one generation, and the gate and the load read. */
  readonly refined: Bucket;
  readonly quarantine: Bucket;
  /** Documents of cycles, job code, reference data, job logs, quality results. */
  readonly artifacts: Bucket;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    acceptFinding(
      this,
      'S1',
      "Access logs are delivered by best effort and would be a sixth bucket that every read adds to: who read which object is for the account's CloudTrail trail, as data events of these buckets",
    );
    this.raw = this.bucket('Raw', {
      versioned: true,
      lifecycleRules: [
        {
          id: 'archive',
          transitions: [{ storageClass: StorageClass.INFREQUENT_ACCESS, transitionAfter: Duration.days(90) }],
          noncurrentVersionExpiration: Duration.days(90),
        },
      ],
    });
    this.storage = this.bucket('Storage', {});
    // Served rows are in PostgreSQL by then, and any generation can be made again from storage.
    this.refined = this.bucket('Refined', { lifecycleRules: [{ id: 'expire', expiration: Duration.days(30) }] });
    this.quarantine = this.bucket('Quarantine', { lifecycleRules: [{ id: 'expire', expiration: Duration.days(180) }] });
    // Only these two: chunk documents are what storage consists of, and never expire.
    this.artifacts = this.bucket('Artifacts', {
      lifecycleRules: [
        { id: 'expire-logs', prefix: 'logs/', expiration: Duration.days(30) },
        // What today's code is held against, long after the last execution of that kind has ended.
        { id: 'expire-histories', prefix: 'archive/histories/', expiration: Duration.days(180) },
        // Their comparisons, and the records of one that nobody came to drop.
        { id: 'expire-dry-runs', prefix: 'dry-runs/', expiration: Duration.days(30) },
      ],
    });
  }

  private bucket(id: string, props: BucketProps): Bucket {
    return new Bucket(this, id, {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      removalPolicy: RemovalPolicy.RETAIN,
      ...props,
      lifecycleRules: [
        // Parts of an upload that nobody finished are paid for, and seen by no listing.
        { id: 'abort-uploads', abortIncompleteMultipartUploadAfter: Duration.days(7) },
        ...(props.lifecycleRules ?? []),
      ],
    });
  }
}
