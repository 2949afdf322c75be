import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { BlockPublicAccess, Bucket, type BucketProps, type CfnBucket, type LifecycleRule, ObjectOwnership, StorageClass } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { REFINED_EXPIRES_DAYS } from '../../domain/refresh';
import { acceptFinding } from './accepted-findings';
import type { LakeBucketsProps } from './lake-buckets-props';

/** How long what was deleted or written over can be brought back. */
const UNDO = Duration.days(30);

/**
 * The zones of the lake. CloudFormation names the buckets; none is ever public, and none is deleted with the stack (S2.22, S2.23).
 * Versions are kept where an object cannot be made again: of what was delivered, of what is stored, and of the documents that say what
 * storage consists of.
 */
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

  private readonly props: LakeBucketsProps;

  constructor(scope: Construct, id: string, props: LakeBucketsProps) {
    super(scope, id);
    this.props = props;
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
          // Both answer at once: an old interval is run again like a new one.
          transitions: [
            { storageClass: StorageClass.INFREQUENT_ACCESS, transitionAfter: Duration.days(90) },
            { storageClass: StorageClass.GLACIER_INSTANT_RETRIEVAL, transitionAfter: Duration.days(365) },
          ],
          noncurrentVersionExpiration: Duration.days(90),
        },
      ],
    });
    // No tiers: each transform reads all of it, and a retrieval costs more than a tier saves.
    this.storage = this.bucket('Storage', { versioned: true, lifecycleRules: [undo()] });
    // Served rows are in PostgreSQL by then, and any generation can be made again from storage. A day that later cycles take over is made
    // anew well before its files go, since the gate reads them.
    this.refined = this.bucket('Refined', { lifecycleRules: [{ id: 'expire', expiration: Duration.days(REFINED_EXPIRES_DAYS) }] });
    // Its lines are in raw too.
    this.quarantine = this.bucket('Quarantine', { lifecycleRules: [{ id: 'expire', expiration: Duration.days(180) }] });
    // Only these three expire: chunk documents are what storage consists of, and never do.
    this.artifacts = this.bucket('Artifacts', {
      versioned: true,
      lifecycleRules: [
        undo(),
        expiring('logs', 'logs/', 30),
        // What today's code is held against, long after the last execution of that kind has ended.
        expiring('histories', 'archive/histories/', 180),
        // Their comparisons, and the records of one that nobody came to drop.
        expiring('dry-runs', 'dry-runs/', 30),
      ],
    });
  }

  private bucket(id: string, props: BucketProps): Bucket {
    const bucket = new Bucket(this, id, {
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
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
    const { key } = this.props;
    (bucket.node.defaultChild as CfnBucket).bucketEncryption = {
      serverSideEncryptionConfiguration: [
        key.whenUsed(
          // With a key of the bucket, S3 asks KMS once for many objects.
          { BucketKeyEnabled: true, ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: key.arn } },
          { ServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } },
        ),
      ],
    };
    return bucket;
  }
}

/** An object under `prefix` goes for good after `days`: where versions are kept, expiry alone would only hide it. */
function expiring(name: string, prefix: string, days: number): LifecycleRule {
  return { id: `expire-${name}`, prefix, expiration: Duration.days(days), noncurrentVersionExpiration: Duration.days(1) };
}

function undo(): LifecycleRule {
  return { id: 'undo', noncurrentVersionExpiration: UNDO, expiredObjectDeleteMarker: true };
}
