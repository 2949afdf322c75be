import { type CycleRef, generationPrefix } from '../../domain/cycle';
import type { S3Pointer } from '../../domain/documents';
import { paddedChunk } from '../ledger/keys';

/** What a round is about: a run that lost to another writer is done again, under names of its own. */
export interface DedupRound {
  readonly cycle: CycleRef;
  readonly chunk: number;
  /** From 1. */
  readonly round: number;
}

/** Where the document of a round's run stands: a function of the round, so that every step finds it. */
export function dedupInputPointer(artifactsBucket: string, round: DedupRound): S3Pointer {
  return { bucket: artifactsBucket, key: `cycles/${generationPrefix(round.cycle)}/dedup/${nameOf(round)}/input.json` };
}

/** Scratch and manifest of a round's run, among the outputs of jobs, which expire by themselves. */
export function dedupWorkUri(refinedBucket: string, round: DedupRound): string {
  return `s3://${refinedBucket}/${generationPrefix(round.cycle)}/_dedup/${nameOf(round)}/`;
}

/** The step that a round's run is submitted as: part of its client token (I5). */
export function dedupStep(round: DedupRound): string {
  return `dedup-${nameOf(round)}`;
}

function nameOf({ chunk, round }: DedupRound): string {
  return `${paddedChunk(chunk)}-${round}`;
}
