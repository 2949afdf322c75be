import type { S3Client } from '@aws-sdk/client-s3';
import { log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { CycleRef } from '../../domain/cycle';
import type { RawObject } from '../../domain/documents';
import { FailureType } from '../../domain/failure-type';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { writeAttempt } from './chunk-attempt';
import { commitItems, readChunk } from './chunk-commit';
import type { ChunkItem } from './chunk-item';
import { commitUnderFence, generationVoided } from './commit';
import { type DateLog, readDateLog } from './date-log';
import type { LedgerTable } from './ledger-table';
import { deleteAttemptFiles, removeLeftovers } from './leftovers';
import type { RawLimits } from './line-splitter';
import { datesOf, type ParsedChunk, withParsedChunk } from './parsed-chunk';
import { keepUnseen, seenFiles } from './seen';
import type { SegmentCache } from './segment-cache';

export interface ChunkDependencies {
  readonly s3: S3Client;
  readonly buckets: {
    readonly raw: string;
    readonly storage: string;
    readonly quarantine: string;
    readonly artifacts: string;
  };
  readonly table: LedgerTable;
  readonly cache: SegmentCache;
  readonly workDir: string;
  readonly duckdbMemoryMb: number;
  readonly limits: RawLimits;
  /** Called between steps and while objects are read. */
  readonly onStep: (step: string) => void;
}

export interface ChunkInput {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  readonly epoch: number;
  readonly chunk: number;
  readonly objects: readonly RawObject[];
}

const MAX_ROUNDS = 20; // each is lost to somebody who committed: more means that two cycles share a turn

/**
 * Stores what is new in one chunk. Idempotent by (cycle, generation, chunk): a committed chunk returns what it recorded. All
 * that an attempt writes carries its random id, and counts only once the commit names it.
 * @throws `TurnLost`, `LedgerRefused`, `CountsDoNotAddUp`, `ObjectVanished`, not retryable; `ObjectDamaged`, `Throttled`
 */
export async function dedupChunk(deps: ChunkDependencies, input: ChunkInput): Promise<ChunkItem> {
  const { table } = deps;
  const item = (await readChunk(table, input)) ?? (await withParsedChunk({ ...deps, signal: table.signal }, input, (parsed) => storeUnseen(deps, input, parsed)));
  await removeLeftovers(deps, input.cycle, item);
  return item;
}

/** Rounds of reading the ledger, writing under a new attempt id, and trying to commit, until nobody else was first. */
async function storeUnseen(deps: ChunkDependencies, input: ChunkInput, parsed: ParsedChunk): Promise<ChunkItem> {
  const { spec, cycle } = input;
  const { db, dir } = parsed;
  let logs: readonly DateLog[] = datesOf(parsed).map((eventDate) => ({ eventDate, nextSequence: 1, entries: [] }));
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    deps.onStep('read the ledger');
    const read: DateLog[] = [];
    for (const known of logs) read.push(await readDateLog(deps.table, spec.dataset, known.eventDate, known));
    logs = read;
    const rebuild = { s3: deps.s3, buckets: deps.buckets, cache: deps.cache, dir, signal: deps.table.signal };
    const files = await seenFiles(rebuild, deps.table, db, spec, logs, Date.now());
    deps.onStep('compare');
    await keepUnseen(db, files);
    const attempt = await writeAttempt(deps, input, parsed);
    deps.onStep('commit');
    const outcome = await commitUnderFence(
      deps.table,
      spec.dataset,
      input.epoch,
      commitItems(deps.table, spec, attempt, logs),
    );
    if (outcome.committed) return attempt.item;
    // Perhaps this very attempt, when the answer to its first try was lost: its files must then stay.
    const winner = outcome.refused.includes('chunk') ? await readChunk(deps.table, input) : undefined;
    if (winner?.attempt !== attempt.item.attempt) await deleteAttemptFiles(deps, attempt.item);
    if (winner !== undefined) return winner;
    if (outcome.refused.includes('void marker')) throw generationVoided(cycle);
    log.info('Another chunk was committed first', { dates: outcome.refused, round, chunk: input.chunk });
  }
  throw ApplicationFailure.create({
    message: `Chunk ${input.chunk} of ${input.cycle.pipeline} until ${input.cycle.intervalEnd} lost ${MAX_ROUNDS} rounds to other writers of "${spec.dataset}"`,
    type: FailureType.LedgerRefused,
  });
}
