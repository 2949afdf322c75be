import type { S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import { type CycleRef, generationPrefix } from '../../domain/cycle';
import type { BatchManifest, ManifestPart, ManifestPartRef, RawObject, S3Pointer } from '../../domain/documents';
import { FailureType } from '../../domain/failure-type';
import { readJsonDocument } from '../json-document';

/** Where a generation's manifest stands: a function of the cycle, so that every stage finds it. */
export function manifestPointer(artifactsBucket: string, cycle: CycleRef): S3Pointer {
  return { bucket: artifactsBucket, key: `cycles/${generationPrefix(cycle)}/manifest.json` };
}

/** Where the n-th part of a long manifest stands. */
export function partPointer(artifactsBucket: string, cycle: CycleRef, part: number): S3Pointer {
  return { bucket: artifactsBucket, key: `cycles/${generationPrefix(cycle)}/manifest/${String(part).padStart(6, '0')}.json` };
}

/** The manifest, or undefined when the generation has not discovered anything yet. */
export function readManifest(s3: S3Client, pointer: S3Pointer, signal: AbortSignal): Promise<BatchManifest | undefined> {
  return readJsonDocument<BatchManifest>(s3, pointer, signal);
}

/** What a manifest is about, its parts included, without reading them. */
export function totalsOf({ parts = [], objects, chunks }: BatchManifest): Omit<ManifestPartRef, 'key'> {
  const sum = (of: (part: ManifestPartRef) => number) => parts.reduce((total, part) => total + of(part), 0);
  return {
    objectCount: sum((part) => part.objectCount) + objects.length,
    chunkCount: sum((part) => part.chunkCount) + chunks.length,
    sizeBytes: sum((part) => part.sizeBytes) + sizeOf(objects),
  };
}

export function sizeOf(objects: readonly RawObject[]): number {
  return objects.reduce((sum, object) => sum + object.sizeBytes, 0);
}

/** The parts of a manifest one after another, what stands in itself last. */
export async function* partsOf(s3: S3Client, bucket: string, manifest: BatchManifest, signal: AbortSignal): AsyncGenerator<ManifestPart> {
  for (const { key } of manifest.parts ?? []) yield await requiredPart(s3, { bucket, key }, signal);
  yield manifest;
}

/** Looks chunks up in a manifest and keeps the part of the last one: whoever goes on from chunk to chunk reads each part once. */
export class ChunkLookup {
  private current: { readonly key: string; readonly part: ManifestPart } | undefined;

  private constructor(
    private readonly s3: S3Client,
    private readonly bucket: string,
    private readonly manifest: BatchManifest,
    private readonly signal: AbortSignal,
  ) {}

  /** @throws `ObjectVanished`, not retryable, while the generation has no manifest */
  static async open(s3: S3Client, artifactsBucket: string, cycle: CycleRef, signal: AbortSignal): Promise<ChunkLookup> {
    const pointer = manifestPointer(artifactsBucket, cycle);
    const manifest = await readManifest(s3, pointer, signal);
    if (manifest !== undefined) return new ChunkLookup(s3, artifactsBucket, manifest, signal);
    throw ApplicationFailure.nonRetryable(
      `The manifest s3://${pointer.bucket}/${pointer.key} is not there: discover the cycle's batches first`,
      FailureType.ObjectVanished,
    );
  }

  /** @throws `LedgerRefused`, not retryable, when the manifest has no such chunk */
  async requiredObjectsOf(chunk: number): Promise<readonly RawObject[]> {
    const objects = await this.objectsOf(chunk);
    if (objects !== undefined) return objects;
    const { cycle } = this.manifest;
    throw ApplicationFailure.nonRetryable(
      `Chunk ${chunk} of ${generationPrefix(cycle)}: its manifest has ${totalsOf(this.manifest).chunkCount}`,
      FailureType.LedgerRefused,
    );
  }

  private async objectsOf(chunk: number): Promise<readonly RawObject[] | undefined> {
    let first = 0;
    for (const { key, chunkCount } of this.manifest.parts ?? []) {
      if (chunk < first + chunkCount) return slice(await this.part(key), chunk - first);
      first += chunkCount;
    }
    return slice(this.manifest, chunk - first);
  }

  private async part(key: string): Promise<ManifestPart> {
    if (this.current?.key !== key) this.current = { key, part: await requiredPart(this.s3, { bucket: this.bucket, key }, this.signal) };
    return this.current.part;
  }
}

function slice({ objects, chunks }: ManifestPart, chunk: number): readonly RawObject[] | undefined {
  const range = chunks[chunk];
  return range === undefined ? undefined : objects.slice(range.from, range.to);
}

/** @throws `ObjectVanished`, not retryable */
async function requiredPart(s3: S3Client, pointer: S3Pointer, signal: AbortSignal): Promise<ManifestPart> {
  const part = await readJsonDocument<ManifestPart>(s3, pointer, signal);
  if (part !== undefined) return part;
  throw ApplicationFailure.nonRetryable(
    `The part s3://${pointer.bucket}/${pointer.key} of a manifest is not there, though the manifest names it: restore the object's last version`,
    FailureType.ObjectVanished,
  );
}
