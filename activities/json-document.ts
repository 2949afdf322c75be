import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import type { S3Pointer } from '../domain/documents';

/** A JSON document of S3, or undefined when it is not there. */
export async function readJsonDocument<T>(s3: S3Client, pointer: S3Pointer, signal?: AbortSignal): Promise<T | undefined> {
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: pointer.bucket, Key: pointer.key }), abortedBy(signal));
    return JSON.parse((await Body?.transformToString()) ?? '') as T;
  } catch (error) {
    if (error instanceof Error && (error.name === 'NoSuchKey' || error.name === 'NotFound')) return undefined;
    throw error;
  }
}

/** Writes a document unless there is one; the first one written wins and is returned, so that retries agree. */
export async function writeJsonDocumentOnce<T>(s3: S3Client, pointer: S3Pointer, document: T, signal?: AbortSignal): Promise<T> {
  try {
    const request = { Bucket: pointer.bucket, Key: pointer.key, Body: JSON.stringify(document), ContentType: 'application/json' };
    await s3.send(new PutObjectCommand({ ...request, IfNoneMatch: '*' }), abortedBy(signal));
    return document;
  } catch (error) {
    // 412: another attempt wrote it, or this one did and lost the answer. 409: another is writing it at this moment.
    const lostRace =
      error instanceof Error && (error.name === 'PreconditionFailed' || error.name === 'ConditionalRequestConflict');
    const first = lostRace ? await readJsonDocument<T>(s3, pointer, signal) : undefined;
    if (first === undefined) throw error;
    return first;
  }
}

function abortedBy(signal: AbortSignal | undefined) {
  return signal === undefined ? {} : { abortSignal: signal };
}
