import { type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Bucket } from 'aws-cdk-lib/aws-s3';
import type { IConstruct } from 'constructs';
import { acceptWildcards } from './accepted-findings';

/** Who is granted something: the policy is its own, or below it. */
type Grantee = IGrantable & IConstruct;

const UNKNOWN_KEYS = 'Keys are drawn by producers and cycles at run time: a policy can name the prefix that they are below, and no single object';

/** Lets `grantee` list what the buckets have now. */
export function grantListing(grantee: Grantee, ...buckets: readonly Bucket[]): void {
  grant(
    grantee,
    ['s3:GetBucketLocation', 's3:ListBucket'],
    buckets.map(({ bucketArn }) => bucketArn),
  );
}

/** Lets `grantee` find the uploads that a committer of Hadoop has to complete or abort. */
export function grantCommitting(grantee: Grantee, ...buckets: readonly Bucket[]): void {
  grant(
    grantee,
    ['s3:ListBucketMultipartUploads'],
    buckets.map(({ bucketArn }) => bucketArn),
  );
}

/** Lets `grantee` read objects, but no old version. @param objects - ARNs, wildcards allowed */
export function grantReading(grantee: Grantee, ...objects: readonly string[]): void {
  grant(grantee, ['s3:GetObject'], objects);
}

/** Lets `grantee` read any version of objects. @param objects - ARNs, wildcards allowed */
export function grantReadingVersions(grantee: Grantee, ...objects: readonly string[]): void {
  grant(grantee, ['s3:GetObject', 's3:GetObjectVersion'], objects);
}

/** Lets `grantee` read, write and delete objects, but no old version. @param objects - ARNs, wildcards allowed */
export function grantWriting(grantee: Grantee, ...objects: readonly string[]): void {
  grant(
    grantee,
    ['s3:AbortMultipartUpload', 's3:DeleteObject', 's3:GetObject', 's3:ListMultipartUploadParts', 's3:PutObject'],
    objects,
  );
}

function grant(grantee: Grantee, actions: readonly string[], resources: readonly string[]): void {
  grantee.grantPrincipal.addToPrincipalPolicy(
    new PolicyStatement({ actions: [...actions], resources: [...resources] }),
  );
  acceptWildcards(grantee, UNKNOWN_KEYS, ...resources);
}
