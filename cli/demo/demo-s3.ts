import { DeleteObjectsCommand, ListObjectVersionsCommand, type ObjectIdentifier, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { DeliveredObject } from './raw-object';

const DELETE_LIMIT = 1_000; // DeleteObjects takes no more
const UPLOADS_AT_ONCE = 8;

/** Puts objects, a few at once. Safe to run twice by key: the bytes are the same. */
export async function putObjects(s3: S3Client, bucket: string, objects: readonly DeliveredObject[], onPut: (done: number) => void): Promise<void> {
  const queue = objects.entries();
  let done = 0;
  const upload = async () => {
    for (const [, { key, body }] of queue) {
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ContentType: 'application/gzip' }));
      done += 1;
      onPut(done);
    }
  };
  await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, upload));
}

/** Deletes everything below a prefix, with all versions and delete markers; returns how many. Safe to run twice. */
export async function emptyPrefix(s3: S3Client, bucket: string, prefix: string): Promise<number> {
  let deleted = 0;
  for (;;) {
    // Always the first page: what it listed is gone the next time.
    const page = await s3.send(new ListObjectVersionsCommand({ Bucket: bucket, Prefix: prefix, MaxKeys: DELETE_LIMIT }));
    const found = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])].map(
      ({ Key, VersionId }): ObjectIdentifier => ({ Key, ...(VersionId === undefined ? {} : { VersionId }) }),
    );
    if (found.length === 0) return deleted;
    const { Errors: errors = [] } = await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: found, Quiet: true } }));
    const [first] = errors;
    if (first !== undefined) {
      throw new Error(`Cannot delete ${errors.length} objects below s3://${bucket}/${prefix}, among them "${first.Key ?? ''}": ${first.Message ?? first.Code ?? ''}`);
    }
    deleted += found.length;
  }
}
