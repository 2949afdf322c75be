import type { CycleRef } from '../../domain/cycle';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import type { Attempt } from './chunk-attempt';
import { type ChunkItem, decodeChunkItem, encodeChunkItem } from './chunk-item';
import { generationVoided, type NamedItem, notVoided } from './commit';
import { appendEntry, type DateLog, unchangedLog } from './date-log';
import { chunkKey } from './keys';
import type { LedgerTable } from './ledger-table';

/**
 * What makes an attempt count, for one transaction: its chunk, and an entry in the log of each of its dates.
 * @param logs - of all dates that it was compared with. Those without anything new are in it too: what made their records duplicates
 * must not have been voided meanwhile
 */
export function commitItems(table: LedgerTable, spec: PipelineSpec, { item, own }: Attempt, logs: readonly DateLog[]): readonly NamedItem[] {
  const nowMs = Date.now();
  return [
    {
      name: 'chunk',
      item: {
        Put: { TableName: table.name, Item: encodeChunkItem(item), ConditionExpression: 'attribute_not_exists(pk)' },
      },
    },
    notVoided(table, item.cycle),
    ...logs.map((dateLog) => {
      const segments = own.find(({ eventDate }) => eventDate === dateLog.eventDate);
      return {
        name: dateLog.eventDate,
        item:
          segments === undefined
            ? unchangedLog(table.name, spec.dataset, dateLog)
            : appendEntry(table.name, spec, item.cycle, dateLog, { kind: 'chunk', attempt: item.attempt, ...segments }, nowMs),
      };
    }),
  ];
}

/** A chunk as committed, if it is. @throws `LedgerRefused`, not retryable, when its generation was voided */
export async function readChunk(table: LedgerTable, { cycle, chunk }: { readonly cycle: CycleRef; readonly chunk: number }): Promise<ChunkItem | undefined> {
  const item = await table.get(chunkKey(cycle, chunk));
  if (item === undefined) return undefined;
  const found = decodeChunkItem(cycle.dataset, item);
  if (found.state === 'voided') throw generationVoided(cycle);
  return found;
}
