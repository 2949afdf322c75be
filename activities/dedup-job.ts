import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { S3Client } from '@aws-sdk/client-s3';
import { Context, log } from '@temporalio/activity';
import type { RecordCounts, S3Pointer } from '../domain/documents';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { commitDedupRun } from './dedup-job/commit';
import type { DedupRound } from './dedup-job/places';
import { type PrepareDependencies, prepareDedupInput, requiredDedupInput } from './dedup-job/prepare';
import { readChunk } from './ledger/chunk-commit';
import type { ChunkItem } from './ledger/chunk-item';
import { LedgerTable } from './ledger/ledger-table';
import { removeLeftovers } from './ledger/leftovers';
import { RAW_LIMITS, type RawLimits } from './ledger/line-splitter';
import { heartbeating } from './long-statement';

export interface DedupJobDependencies extends Pick<PrepareDependencies, 's3' | 'buckets'> {
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
  readonly ledgerTable: string;
  readonly rawLimits?: RawLimits;
}

export interface PrepareDedupJobInput extends DedupRound {
  readonly spec: PipelineSpec;
}

/** What a run is to be given; `committed` where the chunk is stored already, and no run is due. */
export interface PreparedDedupJob {
  readonly input: S3Pointer;
  readonly committed?: RecordCounts;
}

export interface CommitDedupJobInput {
  readonly spec: PipelineSpec;
  /** The turn's: the commit is refused once a newer one is raised. */
  readonly epoch: number;
  /** As `prepareDedupJob` wrote it. */
  readonly input: S3Pointer;
}

/** Activities around a Spark run that deduplicates one chunk: what it is given, and the commit of what it stored (docs/decisions/0031). */
export function createDedupJobActivities(deps: DedupJobDependencies) {
  const openTable = () => new LedgerTable(deps.dynamodb, deps.ledgerTable, Context.current().cancellationSignal);

  /** Once a chunk is committed, nothing else that was written for it can be. */
  async function counted(table: LedgerTable, item: ChunkItem): Promise<RecordCounts> {
    await removeLeftovers({ ...deps, table }, item.cycle, item);
    return item.counts;
  }

  return {
    /**
     * Writes the input document of a round's run: objects, the worker's SQL, and the storage files that count as seen. Idempotent by
     * (cycle, generation, chunk, round): written once.
     * @throws `LedgerRefused`, `ObjectVanished`, not retryable; `Throttled`
     */
    async prepareDedupJob({ spec, ...round }: PrepareDedupJobInput): Promise<PreparedDedupJob> {
      const table = openTable();
      return heartbeating(() => ({ chunk: round.chunk, round: round.round }), async () => {
        const { pointer, input } = await prepareDedupInput({ ...deps, table, limits: deps.rawLimits ?? RAW_LIMITS }, spec, round);
        const item = await readChunk(table, input);
        return { input: pointer, ...(item === undefined ? {} : { committed: await counted(table, item) }) };
      });
    },

    /**
     * Stores what a run found to be new, unless somebody wrote to one of its dates since it was prepared: then another round is due, and
     * undefined is returned. Idempotent by (cycle, generation, chunk): a committed chunk returns what it recorded.
     * @throws `JobOutputInvalid`, `CountsDoNotAddUp`, `LedgerRefused`, `TurnLost`, not retryable; `Throttled`
     */
    async commitDedupJob({ spec, epoch, input }: CommitDedupJobInput): Promise<{ readonly committed?: RecordCounts }> {
      const table = openTable();
      return heartbeating(() => ({ input: input.key }), async () => {
        const given = await requiredDedupInput(deps.s3, input, table.signal);
        const item = await commitDedupRun({ ...deps, table }, spec, epoch, given);
        if (item === undefined) return {};
        log.info('Chunk of a Spark run committed', { chunk: item.chunk, files: item.fileCount, ...item.counts, ...table.capacity });
        return { committed: await counted(table, item) };
      });
    },
  };
}
export type DedupJobActivities = ReturnType<typeof createDedupJobActivities>;
