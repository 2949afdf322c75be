import { type CycleRef, generationPrefix } from '../../domain/cycle';
import type { S3Pointer } from '../../domain/documents';
import { paddedChunk } from '../ledger/keys';

/** Below this everything of dry runs stands in the artifacts bucket; the bucket's lifecycle ends what nobody came to remove. */
export function dryRunPrefix(cycle: CycleRef): string {
  return `dry-runs/${generationPrefix(cycle)}/`;
}

/** The storage files that the dry run builds on. */
export function baseKey(cycle: CycleRef): string {
  return `${chunksPrefix(cycle)}base.json`;
}

/** What the dry run itself stores; goes with the shadow. */
export function chunksPrefix(cycle: CycleRef): string {
  return `${dryRunPrefix(cycle)}chunks/`;
}

/** The document that makes a chunk count: written once. */
export function dryChunkKey(cycle: CycleRef, chunk: number): string {
  return `${chunksPrefix(cycle)}${paddedChunk(chunk)}.json`;
}

/** Stays when the shadow goes, since it says what was found. */
export function diffPointer(artifactsBucket: string, cycle: CycleRef): S3Pointer {
  return { bucket: artifactsBucket, key: `${dryRunPrefix(cycle)}diff.json` };
}
