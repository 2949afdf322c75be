import { DeleteObjectsCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';

const KEYS_PER_DELETE = 1_000; // DeleteObjects' limit

/** Deletes objects by name, whether they are there or not. @returns keys that S3 refused to delete, each with its reason */
export async function deleteKeys(s3: S3Client, bucket: string, keys: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
  const refused: string[] = [];
  for (let from = 0; from < keys.length; from += KEYS_PER_DELETE) {
    const Objects = keys.slice(from, from + KEYS_PER_DELETE).map((Key) => ({ Key }));
    const { Errors = [] } = await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects, Quiet: true } }), { abortSignal: signal });
    refused.push(...Errors.map(({ Key, Code }) => `${Key} (${Code})`));
  }
  return refused;
}

/** Deletes every object below a prefix, which ends where nothing else can go on: a `/`, a random id. @returns how many there were. @throws Error when S3 refuses some */
export async function deleteBelow(s3: S3Client, bucket: string, prefix: string, signal: AbortSignal): Promise<number> {
  let deleted = 0;
  for (;;) {
    // Always the first page: what was on it is gone.
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }), { abortSignal: signal });
    const keys = Contents.flatMap(({ Key }) => (Key === undefined ? [] : [Key]));
    if (keys.length === 0) return deleted;
    const refused = await deleteKeys(s3, bucket, keys, signal);
    if (refused.length > 0) throw new Error(`S3 refused to delete ${refused.length} of ${keys.length} objects below s3://${bucket}/${prefix}: ${refused[0]}`);
    deleted += keys.length;
  }
}
