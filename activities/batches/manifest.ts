import type { S3Client } from '@aws-sdk/client-s3';
import { type CycleRef, generationPrefix } from '../../domain/cycle';
import type { BatchManifest, S3Pointer } from '../../domain/documents';
import { readJsonDocument, writeJsonDocumentOnce } from '../json-document';

/** Where a generation's manifest stands: a function of the cycle, so that every stage finds it. */
export function manifestPointer(artifactsBucket: string, cycle: CycleRef): S3Pointer {
  return { bucket: artifactsBucket, key: `cycles/${generationPrefix(cycle)}/manifest.json` };
}

/** The manifest, or undefined when the generation has not discovered anything yet. */
export function readManifest(s3: S3Client, pointer: S3Pointer, signal: AbortSignal): Promise<BatchManifest | undefined> {
  return readJsonDocument<BatchManifest>(s3, pointer, signal);
}

/** Writes the manifest unless there is one; the first one written wins and is returned, so that retries agree. */
export function writeManifestOnce(s3: S3Client, pointer: S3Pointer, manifest: BatchManifest, signal: AbortSignal): Promise<BatchManifest> {
  return writeJsonDocumentOnce(s3, pointer, manifest, signal);
}
