/** The JSON documents that stages hand each other through S3; Temporal carries only pointers and counts (claim check). */
import type { CycleRef } from './cycle';
import type { FieldSpec, RawFormat } from './pipeline-spec';
import type { RefreshPlan } from './refresh';

/** A document in S3. */
export interface S3Pointer {
  readonly bucket: string;
  readonly key: string;
}

/** One version of a raw object, as discovered. */
export interface RawObject {
  readonly key: string;
  /** `null` literal string `"null"` on an unversioned bucket. */
  readonly versionId: string;
  readonly etag: string;
  readonly sizeBytes: number;
  /** Start of the arrival hour that the key names, RFC 3339. */
  readonly arrivalHour: string;
}

/** What one cycle generation is to load: written once, re-read by every retry. A long one begins in parts of its own. */
export interface BatchManifest extends ManifestPart {
  readonly cycle: CycleRef;
  /** What comes before `objects` and `chunks`, in order; absent: nothing does. */
  readonly parts?: readonly ManifestPartRef[];
}

/** Some of a manifest: whole chunks, and the objects that they are of. */
export interface ManifestPart {
  /** Sorted by key, then version id, in UTF-8 byte order. */
  readonly objects: readonly RawObject[];
  /** Chunk i of this part is `objects.slice(chunks[i].from, chunks[i].to)`. */
  readonly chunks: readonly { readonly from: number; readonly to: number }[];
}

/** A part that is a document of its own. */
export interface ManifestPartRef {
  /** In the manifest's bucket. */
  readonly key: string;
  readonly objectCount: number;
  readonly chunkCount: number;
  readonly sizeBytes: number;
}

/** Why a record or an object is in quarantine; the first that applies, in this order. */
export const QUARANTINE_REASONS = [
  'unreadable_object',
  'bad_line',
  'bad_timestamp',
  'null_coordinate',
  'bad_coordinate',
  'coordinate_out_of_range',
  'too_late',
  'future',
  'invalid_geometry',
] as const;
export type QuarantineReason = (typeof QUARANTINE_REASONS)[number];
export type QuarantineCounts = Partial<Readonly<Record<QuarantineReason, number>>>;

/** read = stored + duplicates + sum(quarantined). An unreadable object counts the one record that it is known to have lost. */
export interface RecordCounts {
  readonly read: number;
  readonly stored: number;
  readonly duplicates: number;
  readonly quarantined: QuarantineCounts;
}

/** What a committed chunk stored: the pointer in its chunk item leads here. */
export interface ChunkDocument {
  readonly cycle: CycleRef;
  readonly chunk: number;
  readonly attempt: string;
  readonly counts: RecordCounts;
  readonly objects: readonly (RawObject & { readonly counts: RecordCounts })[];
  readonly files: readonly StorageFile[];
  readonly quarantineFiles: readonly string[];
}

/** One Parquet file of `storage/`: key `<dataset>/event_date=YYYY-MM-DD/<attempt>-<n>.parquet`. */
export interface StorageFile {
  readonly key: string;
  readonly eventDate: string;
  readonly rowCount: number;
  readonly sizeBytes: number;
}

/** What a Spark run that deduplicates a chunk is given: its one argument is this document's URI. All URIs are `s3://`. */
export interface DedupInput {
  readonly cycle: CycleRef;
  readonly cycleId: string;
  readonly chunk: number;
  /** What its files are named by. */
  readonly attempt: string;
  readonly raw: { readonly bucket: string; readonly format: RawFormat };
  /** In the chunk's order; event times within `[fromMs, toMs)`, epoch milliseconds, are neither too late nor in the future. */
  readonly objects: readonly (RawObject & { readonly fromMs: number; readonly toMs: number })[];
  readonly limits: { readonly maxLineBytes: number; readonly maxObjectBytes: number };
  readonly fields: readonly FieldSpec[];
  readonly eventTime: string;
  /** The worker's own SQL: what is judged by one engine is judged the same by the other. */
  readonly sql: {
    readonly createObjects: string;
    /** Of the line file whose path stands there as `'{lines}'`. */
    readonly createRecords: string;
    /** Over the typed columns. */
    readonly fingerprint: string;
  };
  /** Event date → where the ledger's log ended when `seen` was listed: the commit holds for no other state. Every date that may come. */
  readonly logs: Readonly<Record<string, number>>;
  /** Event date → storage files whose records count as seen. */
  readonly seen: Readonly<Record<string, readonly { readonly uri: string; readonly rowCount: number; readonly sizeBytes: number }[]>>;
  /** Files go to `<storageUri>event_date=<date>/<attempt>-<n>.parquet`. */
  readonly storageUri: string;
  /** What the names of the quarantine's files begin with. */
  readonly quarantineUri: string;
  /** Scratch, and the `_manifest.json` that is written last; ends in `/`. */
  readonly workUri: string;
}

/** `_manifest.json` below `workUri`. */
export interface DedupManifest {
  readonly attempt: string;
  /** In the order of the input's objects. */
  readonly objects: readonly RecordCounts[];
  readonly files: readonly StorageFile[];
  readonly quarantineFiles: readonly string[];
}

/** What a transform job is given: its one argument is this document's URI. All URIs are `s3://`. */
export interface TransformInput {
  /** In the generation that stored the added rows: of a rerun, the one that it builds on. */
  readonly cycle: CycleRef;
  /** `cycleId(cycle)`; rows whose `cycle_id` and `generation` are this cycle's are the added ones. */
  readonly cycleId: string;
  /** All storage files to serve, of this cycle and the earlier ones. */
  readonly files: readonly { readonly uri: string; readonly rowCount: number; readonly added: boolean }[];
  readonly rowCount: number;
  readonly addedRowCount: number;
  readonly references: Readonly<Record<string, string>>;
  /** Where to write, ends in `/`; this generation's own prefix. */
  readonly outputUri: string;
  /** Where quarantined records go, ends in `/`. */
  readonly quarantineUri: string;
  /** Of a pipeline that is refreshed by day: then `files` are those of the rebuilt days alone. */
  readonly refresh?: RefreshPlan;
}

/** `_manifest.json` below `outputUri`: a job that ends in SUCCESS without it has failed. */
export interface JobManifest {
  readonly inputRows: number;
  readonly quarantined: QuarantineCounts;
  readonly quarantineFiles: readonly string[];
  readonly relations: readonly JobRelation[];
}

export interface JobRelation {
  readonly name: string;
  /** In the order of the COPY parts' fields; types as in `ColumnSpec`. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: number;
  /** Rows whose record this cycle added; absent where a relation has no such split. */
  readonly addedRows?: number;
  /** Parquet: `<outputUri><name>/parquet/`; below it with days `event_date=<day>/`, with the split `origin=added/` and `origin=kept/`. */
  readonly parquetUri: string;
  /** PostgreSQL `COPY … (FORMAT binary)` objects, each with its header and trailer. */
  readonly copyParts: readonly CopyPart[];
  /** Of a relation that is refreshed by day: every day that it has rows of, once. */
  readonly days?: readonly JobDay[];
}

export interface JobDay {
  /** UTC, YYYY-MM-DD. */
  readonly day: string;
  readonly rows: number;
  /** The folders with these rows: by `added` and `kept` with the split, else by `all`; one without rows is not named. */
  readonly parquet: Readonly<Partial<Record<'added' | 'kept' | 'all', string>>>;
}

export interface CopyPart {
  readonly uri: string;
  readonly etag: string;
  readonly rows: number;
  readonly sizeBytes: number;
}
