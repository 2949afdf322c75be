import type { S3Client } from '@aws-sdk/client-s3';
import { log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { type CycleRef, generationPrefix } from '../../domain/cycle';
import { FailureType } from '../../domain/failure-type';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { type ChunkItem, decodeChunkItem, encodeChunkItem, isChunkItem } from './chunk-item';
import { commitUnderFence, type NamedItem } from './commit';
import { appendEntry, readDateLog } from './date-log';
import { chunksPartition, generationSortPrefix, voidMarkerKey } from './keys';
import type { LedgerTable } from './ledger-table';
import { deleteAttemptFiles, removeLeftovers } from './leftovers';

export interface VoidDependencies {
  readonly s3: S3Client;
  readonly buckets: { readonly storage: string; readonly quarantine: string };
  readonly table: LedgerTable;
  readonly onProgress: (voided: number) => void;
}

export interface VoidInput {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  readonly epoch: number;
  /** A rejected night's quarantine is what a person looks into; a failed one's is written again with its objects. */
  readonly keepQuarantine?: boolean;
}

const MAX_ROUNDS = 20;

/**
 * Takes back all that a generation stored. First a marker, after which no late attempt of it can commit; then each chunk's
 * state and the logs of its dates in one transaction; files last, since nobody reads what no chunk names. Idempotent.
 * @returns chunks that are voided, now or before
 */
export async function voidGeneration(deps: VoidDependencies, input: VoidInput): Promise<number> {
  await putMarker(deps.table, input);
  const chunks = await chunksOf(deps.table, input.cycle);
  let voided = 0;
  for (const chunk of chunks) {
    if (chunk.state === 'committed') await voidChunk(deps.table, input, chunk);
    await deleteFiles(deps, chunk, input.keepQuarantine);
    deps.onProgress((voided += 1));
  }
  const kept = new Set(input.keepQuarantine === true ? chunks.map((chunk) => chunk.attempt) : []);
  await removeLeftovers(deps, input.cycle, undefined, kept);
  return voided;
}

/** All chunk items of one generation, in order. */
export async function chunksOf(table: LedgerTable, cycle: CycleRef): Promise<readonly ChunkItem[]> {
  const prefix = generationSortPrefix(cycle);
  const chunks: ChunkItem[] = [];
  for await (const item of table.query(chunksPartition(cycle.dataset), prefix, `${prefix}~`)) {
    if (isChunkItem(item)) chunks.push(decodeChunkItem(cycle.dataset, item));
  }
  return chunks;
}

async function putMarker(table: LedgerTable, { cycle, spec, epoch }: VoidInput): Promise<void> {
  const { pk, sk } = voidMarkerKey(cycle);
  await commitUnderFence(table, spec.dataset, epoch, [
    {
      name: 'void marker',
      item: { Put: { TableName: table.name, Item: { pk: { S: pk }, sk: { S: sk }, epoch: { N: String(epoch) } } } },
    },
  ]);
}

async function voidChunk(table: LedgerTable, { cycle, spec, epoch }: VoidInput, chunk: ChunkItem): Promise<void> {
  for (let round = 1; round <= MAX_ROUNDS; round++) {
    const items: NamedItem[] = [
      {
        name: 'chunk',
        item: {
          Put: {
            TableName: table.name,
            Item: encodeChunkItem({ ...chunk, state: 'voided' }),
            ConditionExpression: 'attempt = :attempt and #state = :committed',
            ExpressionAttributeNames: { '#state': 'state' },
            ExpressionAttributeValues: { ':attempt': { S: chunk.attempt }, ':committed': { S: 'committed' } },
          },
        },
      },
    ];
    for (const eventDate of Object.keys(chunk.dates)) {
      const dateLog = await readDateLog(table, spec.dataset, eventDate);
      const entry = { kind: 'void', attempt: chunk.attempt, segments: 0, count: chunk.dates[eventDate] ?? 0 } as const;
      items.push({ name: eventDate, item: appendEntry(table.name, spec, cycle, dateLog, entry, Date.now()) });
    }
    const outcome = await commitUnderFence(table, spec.dataset, epoch, items);
    // Refused by the chunk itself: another attempt of this void was first, or this one and its answer was lost.
    if (outcome.committed || outcome.refused.includes('chunk')) return;
  }
  throw ApplicationFailure.create({
    message: `Chunk ${chunk.chunk} of ${generationPrefix(cycle)} could not be voided in ${MAX_ROUNDS} rounds: others write to "${spec.dataset}"`,
    type: FailureType.LedgerRefused,
  });
}

/** Best effort: what stays is named by no committed chunk. */
async function deleteFiles(deps: VoidDependencies, chunk: ChunkItem, keepQuarantine?: boolean): Promise<void> {
  try {
    await deleteAttemptFiles(deps, chunk, keepQuarantine);
  } catch (error) {
    deps.table.signal.throwIfAborted();
    log.warn('Files of a voided chunk were not removed', {
      chunk: chunk.chunk,
      attempt: chunk.attempt,
      error: String(error),
    });
  }
}
