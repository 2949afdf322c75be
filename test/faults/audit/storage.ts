import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import type { ChunkDocument } from '../../../domain/documents';
import { recordKey } from '../raw-night';
import type { ChunkEntry } from './ledger';
import type { AuditSubject } from './subject';

/** One row of a storage file. */
export interface StoredRow {
  readonly key: string;
  readonly eventDate: string;
  /** What the ledger must hold for it, hexadecimal. */
  readonly fingerprint: string;
  readonly cycleId: string;
  readonly generation: number;
  readonly object: string;
  readonly line: number;
}

export interface QuarantinedLine {
  readonly reason: string;
  readonly object: string;
  readonly line: number;
}

/** A committed chunk with all that its document names, read back. */
export interface LiveChunk extends ChunkEntry {
  readonly document: ChunkDocument | undefined;
  readonly rows: readonly StoredRow[];
  readonly quarantine: readonly QuarantinedLine[];
  /** What is not there, cannot be read, or is not as large as the document says. */
  readonly faults: readonly string[];
}

/** Reads what stands behind committed chunks; what cannot be read is a fault of the chunk, not of the audit. */
export async function readLiveChunks(subject: AuditSubject, chunks: readonly ChunkEntry[]): Promise<readonly LiveChunk[]> {
  const dir = await mkdtemp(join(tmpdir(), 'meridian-audit-'));
  const instance = await DuckDBInstance.create(':memory:', { threads: '1', autoinstall_known_extensions: 'false' });
  const connection = await instance.connect();
  try {
    await connection.run("set TimeZone = 'UTC'");
    const read: LiveChunk[] = [];
    for (const chunk of chunks) read.push(await readChunk(subject, connection, dir, chunk));
    return read;
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(dir, { recursive: true, force: true });
  }
}

async function readChunk(subject: AuditSubject, connection: DuckDBConnection, dir: string, chunk: ChunkEntry): Promise<LiveChunk> {
  const { buckets } = subject.access.names;
  const faults: string[] = [];
  const attempt = async <T>(what: string, read: () => Promise<T>): Promise<T | undefined> =>
    read().catch((error: unknown) => {
      faults.push(`${what} (${error instanceof Error ? error.name : String(error)})`);
      return undefined;
    });
  const document = await attempt(`document ${chunk.documentKey}`, async () => {
    return JSON.parse((await objectBytes(subject, buckets.artifacts, chunk.documentKey)).toString('utf8')) as ChunkDocument;
  });
  const rows: StoredRow[] = [];
  for (const file of document?.files ?? []) {
    const found = await attempt(`file ${file.key}`, async () => {
      const bytes = await objectBytes(subject, buckets.storage, file.key);
      if (bytes.length !== file.sizeBytes) faults.push(`file ${file.key} of ${bytes.length} bytes, its document says ${file.sizeBytes}`);
      return await readParquet(connection, dir, bytes, file.eventDate);
    });
    if (found !== undefined && found.length !== file.rowCount) faults.push(`file ${file.key} of ${found.length} rows, its document says ${file.rowCount}`);
    rows.push(...(found ?? []));
  }
  const quarantine: QuarantinedLine[] = [];
  for (const key of document?.quarantineFiles ?? []) {
    const found = await attempt(`quarantine file ${key}`, () => readQuarantine(subject, key));
    quarantine.push(...(found ?? []));
  }
  return { ...chunk, document, rows, quarantine, faults };
}

/** The lines of one quarantine file. @throws NoSuchKey */
export async function readQuarantine(subject: AuditSubject, key: string): Promise<readonly QuarantinedLine[]> {
  const text = gunzipSync(await objectBytes(subject, subject.access.names.buckets.quarantine, key)).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as QuarantinedLine);
}

async function readParquet(connection: DuckDBConnection, dir: string, bytes: Buffer, eventDate: string): Promise<readonly StoredRow[]> {
  const path = join(dir, 'file.parquet');
  await writeFile(path, bytes);
  const result = await connection.runAndReadAll(
    `select epoch_ms(event_time)::double, longitude, latitude, cycle_id, generation, raw_object, raw_line::double from read_parquet('${path}')`,
  );
  return result.getRowsJson().map(([epochMs, longitude, latitude, cycleId, generation, object, line]) => ({
    key: recordKey(Number(epochMs), Number(longitude), Number(latitude)),
    eventDate,
    fingerprint: fingerprint(Number(epochMs), Number(longitude), Number(latitude)),
    cycleId: typeof cycleId === 'string' ? cycleId : '',
    generation: Number(generation),
    object: typeof object === 'string' ? object : '',
    line: Number(line),
  }));
}

/** By the words of the segment format, not by its code: MD5 over microseconds and both doubles, big-endian; its bytes reversed. */
function fingerprint(epochMs: number, longitude: number, latitude: number): string {
  const bytes = Buffer.alloc(24);
  bytes.writeBigInt64BE(BigInt(epochMs) * 1_000n, 0);
  bytes.writeDoubleBE(longitude === 0 ? 0 : longitude, 8);
  bytes.writeDoubleBE(latitude === 0 ? 0 : latitude, 16);
  return createHash('md5').update(bytes).digest().reverse().toString('hex');
}

async function objectBytes({ access: { s3 } }: AuditSubject, Bucket: string, Key: string): Promise<Buffer> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
  return Buffer.from((await Body?.transformToByteArray()) ?? []);
}
