import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { CycleRef } from '../../domain/cycle';
import type { RecordCounts } from '../../domain/documents';
import type { DedupEngine } from '../../domain/pipeline-spec';
import { chunkKey } from './keys';
import type { Item } from './ledger-table';

/** A chunk as the ledger holds it; its files and objects stand in the document. These items never expire. */
export interface ChunkItem {
  readonly cycle: CycleRef;
  readonly chunk: number;
  readonly state: 'committed' | 'voided';
  readonly attempt: string;
  readonly counts: RecordCounts;
  readonly fileCount: number;
  /** Key of its `ChunkDocument` in the artifacts bucket. */
  readonly documentKey: string;
  /** Records stored for each event date: what a void and a rebuild must touch. */
  readonly dates: Readonly<Record<string, number>>;
  /** What stored it: a Spark run's files are several a date, and found by their prefix. Absent: DuckDB within a worker. */
  readonly engine?: DedupEngine;
}

export function encodeChunkItem(item: ChunkItem): Record<string, AttributeValue> {
  const { pk, sk } = chunkKey(item.cycle, item.chunk);
  const { read, stored, duplicates, quarantined } = item.counts;
  return {
    pk: { S: pk },
    sk: { S: sk },
    state: { S: item.state },
    attempt: { S: item.attempt },
    pipeline: { S: item.cycle.pipeline },
    intervalStart: { S: item.cycle.intervalStart },
    intervalEnd: { S: item.cycle.intervalEnd },
    generation: { N: String(item.cycle.generation) },
    chunk: { N: String(item.chunk) },
    read: { N: String(read) },
    stored: { N: String(stored) },
    duplicates: { N: String(duplicates) },
    quarantined: { M: numbers(quarantined) },
    fileCount: { N: String(item.fileCount) },
    documentKey: { S: item.documentKey },
    dates: { M: numbers(item.dates) },
    ...engineAttribute(item),
  };
}

export function decodeChunkItem(dataset: string, item: Item): ChunkItem {
  const number = (name: string) => Number(item[name]?.N ?? Number.NaN);
  const text = (name: string) => item[name]?.S ?? '';
  return {
    cycle: {
      pipeline: text('pipeline'),
      dataset,
      intervalStart: text('intervalStart'),
      intervalEnd: text('intervalEnd'),
      generation: number('generation'),
    },
    chunk: number('chunk'),
    state: text('state') === 'voided' ? 'voided' : 'committed',
    attempt: text('attempt'),
    counts: {
      read: number('read'),
      stored: number('stored'),
      duplicates: number('duplicates'),
      quarantined: plain(item.quarantined?.M),
    },
    fileCount: number('fileCount'),
    documentKey: text('documentKey'),
    dates: plain(item.dates?.M),
    ...engineOf(item),
  };
}

/** As chunks and announced attempts carry it. */
export function engineAttribute({ engine }: Pick<ChunkItem, 'engine'>): Record<string, AttributeValue> {
  return engine === undefined ? {} : { engine: { S: engine } };
}

export function engineOf(item: Item): Pick<ChunkItem, 'engine'> {
  return item.engine?.S === 'spark' ? { engine: 'spark' } : {};
}

/** The void marker shares the partition: it is no chunk. */
export function isChunkItem(item: Item): boolean {
  return item.chunk?.N !== undefined;
}

function numbers(values: Readonly<Record<string, number | undefined>>): Record<string, AttributeValue> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { N: String(value ?? 0) }]));
}

function plain(map: Record<string, AttributeValue> | undefined): Record<string, number> {
  return Object.fromEntries(Object.entries(map ?? {}).map(([name, value]) => [name, Number(value.N)]));
}
