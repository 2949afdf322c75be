import type { S3Client } from '@aws-sdk/client-s3';
import type { CycleRef } from '../../domain/cycle';
import type { BatchManifest, ManifestPart, ManifestPartRef, RawObject } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { readJsonDocument, writeJsonDocumentOnce } from '../json-document';
import { ChunkCutter } from './cut-chunks';
import { manifestPointer, partPointer, sizeOf } from './manifest';

/** Some 4 MB of JSON. What is left stands in the manifest itself, so that most cycles have one document. */
const OBJECTS_PER_PART = 10_000;

export interface ManifestDependencies {
  readonly s3: S3Client;
  readonly buckets: { readonly artifacts: string };
  readonly signal: AbortSignal;
  readonly manifestPartObjects?: number;
}

/**
 * Writes the manifest of what `find` finds, as it is found. Parts and manifest are each written once: the first writer wins, and
 * whoever comes second goes on behind the parts that are there, so that a retry lists only what no attempt had, and all agree.
 * @param find - objects behind a key, in byte order
 */
export async function writeManifestOnce(
  deps: ManifestDependencies,
  cycle: CycleRef,
  spec: PipelineSpec,
  find: (after: string | undefined) => AsyncIterable<readonly RawObject[]>,
): Promise<BatchManifest> {
  const parts: ManifestPartRef[] = [];
  let after: string | undefined;
  for (;;) {
    const rest = await writeParts(deps, cycle, spec, parts, find(after));
    if (rest !== undefined) return writeJsonDocumentOnce(deps.s3, manifestPointer(deps.buckets.artifacts, cycle), { cycle, ...(parts.length === 0 ? {} : { parts }), ...rest }, deps.signal);
    after = await adoptParts(deps, cycle, parts);
  }
}

/** Appends to `parts` what it writes. @returns what is in no part, or undefined when somebody else had written the next one */
async function writeParts(
  { s3, buckets, signal, manifestPartObjects = OBJECTS_PER_PART }: ManifestDependencies,
  cycle: CycleRef,
  spec: PipelineSpec,
  parts: ManifestPartRef[],
  found: AsyncIterable<readonly RawObject[]>,
): Promise<ManifestPart | undefined> {
  const cutter = new ChunkCutter(spec);
  for await (const objects of found) {
    cutter.add(objects);
    const settled = cutter.takeSettled(manifestPartObjects);
    if (settled === undefined) continue;
    const pointer = partPointer(buckets.artifacts, cycle, parts.length);
    if ((await writeJsonDocumentOnce<ManifestPart>(s3, pointer, settled, signal)) !== settled) return undefined;
    parts.push(refOf(pointer.key, settled));
  }
  return cutter.rest();
}

/** Appends to `parts` those that follow and are there. @returns the last key in them */
async function adoptParts({ s3, buckets, signal }: ManifestDependencies, cycle: CycleRef, parts: ManifestPartRef[]): Promise<string | undefined> {
  let last: string | undefined;
  for (;;) {
    const pointer = partPointer(buckets.artifacts, cycle, parts.length);
    const part = await readJsonDocument<ManifestPart>(s3, pointer, signal);
    if (part === undefined) return last;
    parts.push(refOf(pointer.key, part));
    last = part.objects.at(-1)?.key;
  }
}

function refOf(key: string, { objects, chunks }: ManifestPart): ManifestPartRef {
  return { key, objectCount: objects.length, chunkCount: chunks.length, sizeBytes: sizeOf(objects) };
}
