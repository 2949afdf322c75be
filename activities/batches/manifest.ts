import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { type CycleRef, generationPrefix } from '../../domain/cycle';
import type { BatchManifest, S3Pointer } from '../../domain/documents';

/** Where a generation's manifest stands: a function of the cycle, so that every stage finds it. */
export function manifestPointer(artifactsBucket: string, cycle: CycleRef): S3Pointer {
  return { bucket: artifactsBucket, key: `cycles/${generationPrefix(cycle)}/manifest.json` };
}

/** The manifest, or undefined when the generation has not discovered anything yet. */
export async function readManifest(
  s3: S3Client,
  pointer: S3Pointer,
  signal: AbortSignal,
): Promise<BatchManifest | undefined> {
  try {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: pointer.bucket, Key: pointer.key }), {
      abortSignal: signal,
    });
    return JSON.parse((await Body?.transformToString()) ?? '') as BatchManifest;
  } catch (error) {
    if (error instanceof Error && (error.name === 'NoSuchKey' || error.name === 'NotFound')) return undefined;
    throw error;
  }
}

/** Writes the manifest unless there is one; the first one written wins and is returned, so that retries agree. */
export async function writeManifestOnce(
  s3: S3Client,
  pointer: S3Pointer,
  manifest: BatchManifest,
  signal: AbortSignal,
): Promise<BatchManifest> {
  try {
    await s3.send(
      new PutObjectCommand({
        Bucket: pointer.bucket,
        Key: pointer.key,
        Body: JSON.stringify(manifest),
        ContentType: 'application/json',
        IfNoneMatch: '*',
      }),
      { abortSignal: signal },
    );
    return manifest;
  } catch (error) {
    // 412: another attempt wrote it, or this one did and lost the answer. 409: another is writing it at this moment.
    const lostRace =
      error instanceof Error && (error.name === 'PreconditionFailed' || error.name === 'ConditionalRequestConflict');
    const first = lostRace ? await readManifest(s3, pointer, signal) : undefined;
    if (first === undefined) throw error;
    return first;
  }
}
