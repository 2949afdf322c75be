import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  type ObjectIdentifier,
  type S3Client,
} from '@aws-sdk/client-s3';
import { DeploymentError } from './deployment-error';

/**
 * Deletes every version of every object, and what was never uploaded to its end. Safe to run twice; a bucket that is gone is empty.
 * @param onDeleted - told after each thousand how many there were so far
 * @throws DeploymentError with the first object that S3 refuses to delete
 */
export async function emptyBucket(s3: S3Client, bucket: string, onDeleted: (count: number) => void): Promise<void> {
  try {
    // What was listed is gone then: the next listing begins anew.
    for (let count = 0; ; onDeleted(count)) {
      const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket: bucket }));
      const found = [...Versions, ...DeleteMarkers].map(({ Key, VersionId }) => ({ Key, VersionId }));
      if (found.length === 0) break;
      await deleteAll(s3, bucket, found);
      count += found.length;
    }
    for (;;) {
      const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
      if (Uploads.length === 0) break;
      for (const { Key, UploadId } of Uploads) await s3.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId }));
    }
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'NoSuchBucket') throw error;
  }
}

async function deleteAll(s3: S3Client, bucket: string, objects: readonly ObjectIdentifier[]): Promise<void> {
  const { Errors = [] } = await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: [...objects], Quiet: true } }));
  const [first] = Errors;
  if (first === undefined) return;
  throw new DeploymentError(
    `s3://${bucket}/${first.Key} cannot be deleted (${first.Code}: ${first.Message}), nor ${Errors.length - 1} others: allow it, then run the same command again`,
  );
}
