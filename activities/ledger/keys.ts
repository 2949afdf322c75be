import { compactInstant } from '../../domain/data-interval';
import type { CycleRef } from '../../domain/cycle';

/**
 * Keys of the ledger table. A partition `<dataset>#<event date>` holds a commit log; a segment that such a log names has a partition
 * of its own; `<dataset>#chunks` holds the chunk items, ordered by interval end so that a span of time is one Query; `<dataset>#fence`
 * the epoch that commits are held to.
 */
export interface LedgerKey {
  readonly pk: string;
  readonly sk: string;
}

export function fenceKey(dataset: string): LedgerKey {
  return { pk: `${dataset}#fence`, sk: 'fence' };
}

export function chunksPartition(dataset: string): string {
  return `${dataset}#chunks`;
}

/** `20180802T000000Z#mobile-geolocation#g0001#`: what the sort keys of one generation's chunks begin with. */
export function generationSortPrefix(cycle: CycleRef): string {
  return `${compactInstant(cycle.intervalEnd)}#${cycle.pipeline}#g${String(cycle.generation).padStart(4, '0')}#`;
}

export function chunkKey(cycle: CycleRef, chunk: number): LedgerKey {
  return { pk: chunksPartition(cycle.dataset), sk: `${generationSortPrefix(cycle)}${paddedChunk(chunk)}` };
}

/** Once this item exists no chunk of the generation can commit any more. */
export function voidMarkerKey(cycle: CycleRef): LedgerKey {
  return { pk: chunksPartition(cycle.dataset), sk: `${generationSortPrefix(cycle)}void` };
}

/** `<generation>000012#`: what the sort keys of the attempts at one chunk begin with; without a chunk, at all of a generation. */
export function attemptSortPrefix(cycle: CycleRef, chunk?: number): string {
  return `${generationSortPrefix(cycle)}${chunk === undefined ? '' : `${paddedChunk(chunk)}#`}`;
}

/** An attempt that has begun to write files; the item goes when they are committed or removed. */
export function attemptKey(cycle: CycleRef, chunk: number, attempt: string): LedgerKey {
  return { pk: attemptsPartition(cycle.dataset), sk: `${attemptSortPrefix(cycle, chunk)}${attempt}` };
}

export function attemptsPartition(dataset: string): string {
  return `${dataset}#attempts`;
}

export function paddedChunk(chunk: number): string {
  return String(chunk).padStart(6, '0');
}

export function datePartition(dataset: string, eventDate: string): string {
  return `${dataset}#${eventDate}`;
}

export const LOG_PREFIX = 'log#';

export function logKey(dataset: string, eventDate: string, sequence: number): LedgerKey {
  return { pk: datePartition(dataset, eventDate), sk: `${LOG_PREFIX}${String(sequence).padStart(8, '0')}` };
}

/**
 * Segments are read by name and never listed: under a key of its own each, a night's may go to all of the table's partitions, of which
 * one takes 1,000 write units a second, see docs/decisions/0034.
 */
export function segmentKey(dataset: string, eventDate: string, attempt: string, index: number): LedgerKey {
  return { pk: `${datePartition(dataset, eventDate)}#${attempt}#${String(index).padStart(6, '0')}`, sk: 'segment' };
}
