import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import { log } from '@temporalio/activity';
import type { RawObject } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { countJudged, type JudgedCounts } from './chunk-counts';
import { ChunkDatabase } from './chunk-database';
import { dateOfDay } from './chunk-files';
import { collectLines, loadRecords } from './chunk-input';
import type { RawLimits } from './line-splitter';
import { BrokenChunkDatabase } from './parquet-objects';
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
  readonly judged: JudgedCounts;
}

interface ParseInput {
  readonly spec: PipelineSpec;
  readonly objects: readonly RawObject[];
}

/** Reads and parses a chunk's objects for `work`; database and scratch space go however it ends. */
export async function withParsedChunk<T>(
  deps: ParseDependencies,
  input: ParseInput,
  work: (parsed: ParsedChunk) => Promise<T>,
): Promise<T> {
  return withScratch(deps.workDir, Date.now(), async (dir) => {
    const { db, ...counts } = await collected(deps, input, dir, false).catch((error: unknown) => {
      if (!(error instanceof BrokenChunkDatabase)) throw error;
      log.warn('An object broke the database of its chunk: all are read again, each in one of its own', { cause: error.cause });
      return collected(deps, input, dir, true);
    });
    try {
      return await work({ db, dir, ...counts });
    } finally {
      db.close();
    }
  });
}

/** The chunk's database with the objects' records in it. @throws BrokenChunkDatabase, unless careful */
async function collected(deps: ParseDependencies, { spec, objects }: ParseInput, dir: string, isCareful: boolean): Promise<Omit<ParsedChunk, 'dir'>> {
  const { s3, limits, duckdbMemoryMb: memoryMb, signal } = deps;
  const lineFile = join(dir, 'lines');
  const onProgress = (read: number) => deps.onStep(`read ${read} of ${objects.length} objects`);
  const db = await ChunkDatabase.open({ spillDir: join(dir, 'spill'), memoryMb, signal });
  try {
    const readCounts = await collectLines({ s3, rawBucket: deps.buckets.raw, dir, limits, memoryMb, signal, isCareful, onProgress }, db, spec, objects, lineFile);
    deps.onStep('parse');
    await loadRecords(db, spec, objects, lineFile, limits);
    await rm(lineFile);
    return { db, readCounts, judged: await countJudged(db, objects.length) };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Event dates of the records that may be stored, in order. */
export function datesOf({ judged }: Pick<ParsedChunk, 'judged'>): readonly string[] {
  return [...judged.soundByDay.keys()].map(dateOfDay);
}
