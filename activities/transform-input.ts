import type { S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import type { S3Pointer, TransformInput } from '../domain/documents';
import { FailureType } from '../domain/failure-type';
import { readJsonDocument } from './json-document';

/**
 * What a transform's job was given. It was written before, and is never written again: each attempt reads the same.
 * @param what - the transform, for the message
 * @throws `JobOutputInvalid`, not retryable, when it is gone
 */
export async function requiredTransformInput(s3: S3Client, { bucket, key }: S3Pointer, what = 'the transform'): Promise<TransformInput> {
  const document = await readJsonDocument<TransformInput>(s3, { bucket, key });
  if (document !== undefined) return document;
  throw ApplicationFailure.nonRetryable(`s3://${bucket}/${key} is gone: expected the input of ${what}`, FailureType.JobOutputInvalid);
}
