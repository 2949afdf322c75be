import type { CycleRef } from '../../domain/cycle';
import type { ChunkDocument, S3Pointer } from '../../domain/documents';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { deleteKeys } from '../delete-objects';
import { readJsonDocument, writeJsonDocumentOnce } from '../json-document';
import { newAttemptId, putChunkFiles, writeChunkFiles } from '../ledger/chunk-attempt';
import { countRecords } from '../ledger/chunk-counts';
import { type DateLog, readDateLog } from '../ledger/date-log';
import type { SlicedChunk } from '../ledger/dedup-slice';
import { paddedChunk } from '../ledger/keys';
import type { LedgerReader } from '../ledger/ledger-table';
import { datesOf, type ParseDependencies, type ParsedChunk, withParsedChunk } from '../ledger/parsed-chunk';
import { rebuildSegment } from '../ledger/rebuild';
import { keepUnseen, seenFiles } from '../ledger/seen';
import type { SegmentCache } from '../ledger/segment-cache';
import { chunksPrefix, dryChunkKey } from './places';

export interface DryChunkDependencies extends Omit<ParseDependencies, 'signal' | 'onStep'> {
  readonly buckets: { readonly raw: string; readonly storage: string; readonly artifacts: string };
  /** Only ever read. */
  readonly table: LedgerReader;
  readonly cache: SegmentCache;
}

export interface DryChunkInput extends SlicedChunk {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  /** Attempts of the dry run's base. */
  readonly base: ReadonlySet<string>;
  /** Chunks of the dry run before this one. */
  readonly earlier: readonly ChunkDocument[];
}

/**
 * Deduplicates one chunk against the dry run's base and its own earlier chunks. Nothing is written to the ledger: the commit is a document
 * in S3 that is written once. Idempotent by (cycle, generation, chunk): a chunk with a document returns it.
 * @throws as `dedupChunk`, but for what only a commit can meet
 */
export async function dedupDryChunk(deps: DryChunkDependencies, input: DryChunkInput): Promise<ChunkDocument> {
  const { table, s3, buckets } = deps;
  const { signal } = table;
  const done = await readDryChunk(deps, input.cycle, input.chunk);
  if (done !== undefined) return done;
  return withParsedChunk({ ...deps, signal, onStep: input.onStep }, input, async (parsed) => {
    await keepUnseen(parsed.db, await seenBefore(deps, input, parsed));
    const attempt = newAttemptId();
    const stem = `${chunksPrefix(input.cycle)}${paddedChunk(input.chunk)}-${attempt}`;
    const place = {
      storage: buckets.artifacts,
      quarantine: buckets.artifacts,
      storageKey: (_eventDate: string, index: number) => `${stem}-${index}.parquet`,
      quarantineKey: `${stem}.jsonl.gz`,
    };
    const counts = await countRecords(parsed.db, input.objects, parsed);
    input.onStep('write files');
    const document = await putChunkFiles({ s3, signal }, input, await writeChunkFiles(parsed, input, counts, place), { attempt, counts });
    input.onStep('commit');
    const committed = await writeJsonDocumentOnce(s3, pointerOf(deps, input.cycle, input.chunk), document, signal);
    if (committed.attempt !== attempt) {
      await deleteKeys(s3, buckets.artifacts, [...document.files.map(({ key }) => key), ...document.quarantineFiles], signal);
    }
    return committed;
  });
}

/** What the dry run stored for a chunk; undefined while it has not. */
export function readDryChunk(
  deps: Pick<DryChunkDependencies, 's3'> & { readonly buckets: { readonly artifacts: string }; readonly table: Pick<LedgerReader, 'signal'> },
  cycle: CycleRef,
  chunk: number,
): Promise<ChunkDocument | undefined> {
  return readJsonDocument<ChunkDocument>(deps.s3, pointerOf(deps, cycle, chunk), deps.table.signal);
}

/** Files of the cache with the fingerprints of all that counts as seen: the base's, and what the dry run stored itself. */
async function seenBefore(deps: DryChunkDependencies, input: DryChunkInput, parsed: ParsedChunk): Promise<readonly string[]> {
  const { db, dir } = parsed;
  const { table, s3, buckets, cache } = deps;
  const { spec, base, earlier } = input;
  input.onStep('read the ledger');
  const logs: DateLog[] = [];
  for (const eventDate of datesOf(parsed)) {
    const log = await readDateLog(table, spec.dataset, eventDate);
    // As it was when the base was frozen: what was stored since does not count, and what was voided since still does.
    logs.push({ ...log, entries: log.entries.filter(({ kind, attempt }) => kind === 'chunk' && base.has(attempt)) });
  }
  const rebuild = { s3, buckets, cache, dir, signal: table.signal, counts: (attempt: string) => base.has(attempt) };
  const files = [...(await seenFiles(rebuild, table, db, spec, logs, Date.now()))];
  for (const { eventDate } of logs) {
    for (const { attempt, files: stored } of earlier) {
      const count = stored.reduce((sum, file) => sum + (file.eventDate === eventDate ? file.rowCount : 0), 0);
      if (count === 0) continue;
      files.push(await rebuildSegment(rebuild, db, spec, { attempt, bucket: buckets.artifacts, count, files: async () => stored }, eventDate));
    }
  }
  input.onStep('compare');
  return files;
}

function pointerOf({ buckets }: { readonly buckets: { readonly artifacts: string } }, cycle: CycleRef, chunk: number): S3Pointer {
  return { bucket: buckets.artifacts, key: dryChunkKey(cycle, chunk) };
}
