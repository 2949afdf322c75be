import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { GetObjectCommand, ListObjectsV2Command, type ListObjectsV2CommandOutput, PutObjectCommand } from '@aws-sdk/client-s3';
import { DuckDBInstance, type Json } from '@duckdb/node-api';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createBatchActivities, type DiscoveredBatches } from '../../../activities/batches';
import { createLedgerActivities, type DedupChunksResult, liveStorageFiles } from '../../../activities/ledger';
import type { CycleRef } from '../../../domain/cycle';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import { mobileGeolocation } from '../../../pipelines/mobile-geolocation';
import type { Deps } from './ledger-stack';

export const SPEC: PipelineSpec = mobileGeolocation;

/** A record as devices send it. */
export interface RawRecord {
  readonly timestamp?: unknown;
  readonly longitude?: unknown;
  readonly latitude?: unknown;
  readonly [name: string]: unknown;
}

/** One stored record, as its Parquet file holds it. */
export interface StoredRecord {
  readonly epochMs: number;
  readonly longitude: number;
  readonly latitude: number;
  readonly eventDate: string;
  readonly cycleId: string;
  readonly generation: number;
  readonly rawObject: string;
  readonly rawVersion: string;
  readonly rawLine: number;
}

/** The daily cycle that ends at midnight of `date`. */
export function nightEnding(date: string, generation = 1, spec: PipelineSpec = SPEC): CycleRef {
  const end = `${date}T00:00:00Z`;
  return {
    pipeline: spec.name,
    dataset: spec.dataset,
    intervalStart: new Date(Date.parse(end) - 86_400_000).toISOString().replace('.000Z', 'Z'),
    intervalEnd: end,
    generation,
  };
}

/** An activity context without a worker; only warnings reach the console. */
export function activityContext(): MockActivityEnvironment {
  return new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
}

/** Runs an activity as a worker would. */
export function run<I, R>(activity: (input: I) => Promise<R>, input: I, context = activityContext()): Promise<R> {
  return context.run(activity, input);
}

/** `…/2018/08/01/13/<name>` of an arrival hour such as `2018-08-01T13`. */
export function rawKey(hour: string, name: string, spec: PipelineSpec = SPEC): string {
  return `${spec.raw.prefix}${hour.replace(/[-T]/g, '/')}/${name}`;
}

export async function putRaw(deps: Deps, key: string, body: string | Buffer): Promise<string> {
  const { VersionId } = await deps.s3.send(new PutObjectCommand({ Bucket: deps.buckets.raw, Key: key, Body: body, ContentLength: Buffer.byteLength(body) }));
  return VersionId ?? 'null';
}

/** Records as gzipped JSON lines. */
export function lines(records: readonly RawRecord[]): Buffer {
  return gzipSync(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
}

export function discover(deps: Deps, cycle: CycleRef, spec: PipelineSpec = SPEC): Promise<DiscoveredBatches> {
  return run(createBatchActivities(deps).discoverBatches, { cycle, spec });
}

export interface NightOptions {
  readonly spec?: PipelineSpec;
  readonly epoch?: number;
}

/** Discovers and deduplicates a night whole. */
export async function runNight(deps: Deps, cycle: CycleRef, options: NightOptions = {}): Promise<DedupChunksResult & { readonly chunkCount: number }> {
  const { spec = SPEC, epoch = 1 } = options;
  const { chunkCount } = await discover(deps, cycle, spec);
  const ledger = createLedgerActivities(deps);
  await run(ledger.raiseFence, { dataset: spec.dataset, epoch });
  const result = await run(ledger.dedupChunks, { cycle, spec, fromChunk: 0, toChunk: chunkCount, epoch });
  return { ...result, chunkCount };
}

/** Everything that counts as stored, in the order of the files. */
export async function storedRecords(deps: Deps, spec: PipelineSpec = SPEC): Promise<readonly StoredRecord[]> {
  const files = await liveStorageFiles(deps, { dataset: spec.dataset });
  const rows = await readParquet(
    deps,
    files.map((file) => file.key),
    'epoch_ms(event_time), longitude, latitude, cycle_id, generation, raw_object, raw_version, raw_line, file_row_number, file_index',
  );
  return rows.map(([epochMs, longitude, latitude, cycleId, generation, rawObject, rawVersion, rawLine, , file]) => ({
    epochMs: Number(epochMs),
    longitude: Number(longitude),
    latitude: Number(latitude),
    eventDate: files[Number(file)]?.eventDate ?? '',
    cycleId: `${cycleId as string}`,
    generation: Number(generation),
    rawObject: `${rawObject as string}`,
    rawVersion: `${rawVersion as string}`,
    rawLine: Number(rawLine),
  }));
}

/** Keys below a prefix, of any number. */
export async function keysIn(deps: Deps, bucket: 'storage' | 'quarantine' | 'artifacts', prefix = ''): Promise<readonly string[]> {
  const keys: string[] = [];
  let token: string | undefined;
  do {
    const page: ListObjectsV2CommandOutput = await deps.s3.send(
      new ListObjectsV2Command({ Bucket: deps.buckets[bucket], Prefix: prefix, ...(token === undefined ? {} : { ContinuationToken: token }) }),
    );
    keys.push(...(page.Contents ?? []).map((each) => each.Key ?? ''));
    token = page.NextContinuationToken;
  } while (token !== undefined);
  return keys;
}

/** Columns of storage files, by DuckDB; `file_index` is the position of the row's file among `keys`. */
export async function readParquet(deps: Deps, keys: readonly string[], columns: string): Promise<readonly (readonly Json[])[]> {
  if (keys.length === 0) return [];
  const dir = await mkdtemp(join(tmpdir(), 'meridian-stored-'));
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const paths: string[] = [];
    for (const [index, key] of keys.entries()) {
      const { Body } = await deps.s3.send(new GetObjectCommand({ Bucket: deps.buckets.storage, Key: key }));
      const path = join(dir, `${index}.parquet`);
      await writeFile(path, (await Body?.transformToByteArray()) ?? '');
      paths.push(path);
    }
    const connection = await instance.connect();
    await connection.run("set TimeZone = 'UTC'");
    const reader = await connection.runAndReadAll(
      `select ${columns} from (
        select *, list_position([${paths.map((path) => `'${path}'`).join(', ')}], filename) - 1 as file_index
        from read_parquet([${paths.map((path) => `'${path}'`).join(', ')}], filename = true, file_row_number = true))
       order by file_index, file_row_number`,
    );
    return reader.getRowsJson();
  } finally {
    instance.closeSync();
    await rm(dir, { recursive: true, force: true });
  }
}
