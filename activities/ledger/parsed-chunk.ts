import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import type { RawObject } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { ChunkDatabase } from './chunk-database';
import { dateOfDay } from './chunk-files';
import { collectLines, loadRecords } from './chunk-input';
import type { RawLimits } from './line-splitter';
import { withScratch } from './scratch';

export interface ParseDependencies {
  readonly s3: S3Client;
  readonly buckets: { readonly raw: string };
  readonly workDir: string;
  readonly duckdbMemoryMb: number;
  readonly limits: RawLimits;
  readonly signal: AbortSignal;
  /** Called between steps and while objects are read. */
  readonly onStep: (step: string) => void;
}

/** A chunk's records, judged and fingerprinted, in tables `object` and `record`. */
export interface ParsedChunk {
  readonly db: ChunkDatabase;
  /** Scratch space of the chunk. */
  readonly dir: string;
  /** Records of each object, as counted before any parsing. */
  readonly readCounts: readonly number[];
}

/** Reads and parses a chunk's objects for `work`; database and scratch space go however it ends. */
export async function withParsedChunk<T>(
  deps: ParseDependencies,
  { spec, objects }: { readonly spec: PipelineSpec; readonly objects: readonly RawObject[] },
  work: (parsed: ParsedChunk) => Promise<T>,
): Promise<T> {
  const { limits, signal } = deps;
  return withScratch(deps.workDir, Date.now(), async (dir) => {
    const lineFile = join(dir, 'lines');
    const onProgress = (read: number) => deps.onStep(`read ${read} of ${objects.length} objects`);
    const db = await ChunkDatabase.open({ spillDir: join(dir, 'spill'), memoryMb: deps.duckdbMemoryMb, signal });
    try {
      const collect = { s3: deps.s3, rawBucket: deps.buckets.raw, dir, limits, memoryMb: deps.duckdbMemoryMb, signal, onProgress };
      const readCounts = await collectLines(collect, db, spec, objects, lineFile);
      deps.onStep('parse');
      await loadRecords(db, spec, objects, lineFile, limits);
      await rm(lineFile);
      return await work({ db, dir, readCounts });
    } finally {
      db.close();
    }
  });
}

/** Event dates of the records that may be stored, in order. */
export async function datesOf(db: ChunkDatabase): Promise<readonly string[]> {
  const days = await db.rows('select distinct _day from record where _reason is null order by _day');
  return days.map(([day]) => dateOfDay(Number(day)));
}
