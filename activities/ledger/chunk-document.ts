import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import { type CycleRef, generationPrefix } from '../../domain/cycle';
import type { ChunkDocument } from '../../domain/documents';
import { FailureType } from '../../domain/failure-type';
import { paddedChunk } from './keys';

export function chunkDocumentKey(cycle: CycleRef, chunk: number, attempt: string): string {
  return `cycles/${generationPrefix(cycle)}/chunks/${paddedChunk(chunk)}-${attempt}.json`;
}

export async function putChunkDocument(
  s3: S3Client,
  bucket: string,
  document: ChunkDocument,
  signal: AbortSignal,
): Promise<string> {
  const key = chunkDocumentKey(document.cycle, document.chunk, document.attempt);
  await s3.send(
    new PutObjectCommand({ Bucket: bucket, Key: key, Body: JSON.stringify(document), ContentType: 'application/json' }),
    { abortSignal: signal },
  );
  return key;
}

/** @throws `ObjectVanished`, not retryable: a committed chunk's document must be there */
export async function readChunkDocument(
  s3: S3Client,
  bucket: string,
  key: string,
  signal?: AbortSignal,
): Promise<ChunkDocument> {
  try {
    const { Body } = await s3.send(
      new GetObjectCommand({ Bucket: bucket, Key: key }),
      signal === undefined ? {} : { abortSignal: signal },
    );
    return JSON.parse((await Body?.transformToString()) ?? '') as ChunkDocument;
  } catch (error) {
    if (!(error instanceof Error) || (error.name !== 'NoSuchKey' && error.name !== 'NotFound')) throw error;
    throw ApplicationFailure.create({
      message: `The chunk document s3://${bucket}/${key} is gone: the ledger names it, so restore it from the bucket's versions`,
      type: FailureType.ObjectVanished,
      nonRetryable: true,
      cause: error,
    });
  }
}
