import { join } from 'node:path';
import { Context, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Kysely } from 'kysely';
import type { Pool } from 'pg';
import { type CycleRef, generationPrefix } from '../domain/cycle';
import type { ChunkDocument, RecordCounts, S3Pointer } from '../domain/documents';
import type { DiffDocument, DryRunFindings, RelationChange, RelationDiff } from '../domain/dry-run';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { isRefreshedByDay } from '../domain/refresh';
import { shadowOf, shadowPipeline } from '../domain/shadow-pipeline';
import { findVersionOf } from '../sql/queries/versions';
import type { Database } from '../sql/schema';
import { manifestPointer, readManifest, totalsOf } from './batches/manifest';
import { checkContract } from './candidate';
import { candidateGone } from './candidate-failures';
import { freezeBase, readBase } from './dry-run/base';
import { diffRelation } from './dry-run/diff';
import { deleteDryFiles, dropShadow } from './dry-run/drop';
import { dedupDryChunk, readDryChunk } from './dry-run/dry-chunk';
import { diffPointer } from './dry-run/places';
import { readJobRelation } from './job-relation';
import { readJsonDocument, writeJsonDocumentOnce } from './json-document';
import type { LedgerDependencies } from './ledger';
import { dedupSlice, type Slice } from './ledger/dedup-slice';
import { LedgerTable } from './ledger/ledger-table';
import { RAW_LIMITS } from './ledger/line-splitter';
import { SegmentCache } from './ledger/segment-cache';
import { heartbeating } from './long-statement';
import { planDryRun } from './refresh-plan';
import { type PreparedTransform, preparedOf, servedFiles, transformInput, transformInputPointer } from './transform-documents';

export interface DryRunDependencies extends Omit<LedgerDependencies, 'buckets'> {
  readonly buckets: { readonly raw: string; readonly storage: string; readonly refined: string; readonly artifacts: string };
  readonly db: Kysely<Database>;
  /** The pool below `db`: comparisons are cancelled in the server. */
  readonly pool: Pool;
}

/** `cycle` is the dry run's own, of the shadow pipeline; `spec` the declaration that it is a dry run of. */
export interface DryRunInput {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
}

/**
 * Activities that only a dry run has: what a cycle would write to the ledger, storage and quarantine goes to a prefix of its own, what it
 * would change is compared, and all of it is dropped. What they read of the dataset, they only read.
 */
export function createDryRunActivities(deps: DryRunDependencies) {
  const { s3, buckets, db, pool } = deps;
  // The same files as a cycle's: a segment is right for whoever reads it.
  const cache = new SegmentCache(join(deps.workDir, 'segments'), deps.segmentCacheBytes);
  const openTable = () => new LedgerTable(deps.dynamodb, deps.ledgerTable, Context.current().cancellationSignal);

  return {
    /** Freezes what of the dataset's storage the dry run builds on. Idempotent by (cycle, generation): written once. */
    async freezeDryRunBase({ cycle, spec }: DryRunInput): Promise<{ readonly chunks: number; readonly files: number }> {
      const base = await freezeBase({ s3, buckets, db }, openTable(), cycle, spec);
      return { chunks: base.attempts.length, files: base.files.length };
    },

    /**
     * Deduplicates chunks `[fromChunk, toChunk)` as `dedupChunks` does, without a write to DynamoDB, storage or quarantine. Idempotent by
     * (cycle, generation, chunk). Heartbeats the chunk and the counts so far.
     * @throws as `dedupChunks`, but for what only a commit can meet
     */
    async dedupDryChunks({ cycle, spec, fromChunk, toChunk }: DryRunInput & Slice): Promise<{ readonly counts: RecordCounts; readonly files: number }> {
      const table = openTable();
      const base = new Set((await readBase(deps, cycle, table.signal)).attempts);
      const earlier: ChunkDocument[] = [...(await dryChunks(cycle, fromChunk, table.signal))];
      const chunkDeps = { ...deps, table, cache, workDir: join(deps.workDir, 'chunks'), limits: deps.rawLimits ?? RAW_LIMITS };
      const done = await dedupSlice({ s3, artifacts: buckets.artifacts }, { cycle, fromChunk, toChunk }, async (chunk) => {
        const document = await dedupDryChunk(chunkDeps, { ...chunk, cycle, spec, base, earlier });
        earlier.push(document);
        return { counts: document.counts, fileCount: document.files.length };
      });
      await cache.trim(Date.now());
      return done;
    },

    /** Writes the job's input document once: the base's files, and the dry run's as added. Idempotent by (cycle, generation). */
    async prepareDryTransform({ cycle, spec }: DryRunInput): Promise<PreparedTransform> {
      const { cancellationSignal: signal } = Context.current();
      const pointer = transformInputPointer(buckets.artifacts, cycle);
      const manifest = await readManifest(s3, manifestPointer(buckets.artifacts, cycle), signal);
      const base = await readBase(deps, cycle, signal);
      const own = await dryChunks(cycle, manifest === undefined ? 0 : totalsOf(manifest).chunkCount, signal);
      const files = [
        ...base.files.map((file) => ({ ...file, uri: `s3://${buckets.storage}/${file.key}`, added: false })),
        ...own.flatMap((chunk) => chunk.files.map((file) => ({ ...file, uri: `s3://${buckets.artifacts}/${file.key}`, added: true }))),
      ];
      // Below the output: the quarantine bucket is for what a person is to look into.
      const quarantineUri = `s3://${buckets.refined}/${generationPrefix(cycle)}/_quarantine/`;
      // Always all days: what a dry run shows is what the declaration makes of the records, not what was served before.
      const refresh = isRefreshedByDay(spec) ? { refresh: planDryRun(spec, servedFiles(files, cycle, spec)) } : {};
      const document = transformInput(buckets, cycle, spec, { files, quarantineUri, ...refresh });
      return preparedOf(pointer, await writeJsonDocumentOnce(s3, pointer, document, signal), shadowPipeline(spec));
    },

    /**
     * Holds the job's columns against the declaration and the views that readers use, as a cycle would before it loads; the shadow's own
     * view says nothing of that. Reads only.
     * @throws `IncompatibleColumns` with a diff, not retryable
     */
    async checkLiveContract({ spec, manifest }: { readonly spec: PipelineSpec; readonly manifest: S3Pointer }): Promise<void> {
      for (const relation of spec.relations) {
        const { columns } = await readJobRelation(s3, manifest, relation);
        await checkContract(db, { spec, relation, manifestColumns: columns });
      }
    },

    /**
     * Compares what readers have with the shadow, relation by relation, and writes the whole to the artifacts bucket. Idempotent by (cycle,
     * generation): the first comparison stands.
     * @returns counts and the pointer: samples are record data
     */
    async diffDryRun({
      cycle,
      spec,
      findings,
    }: DryRunInput & { readonly findings: DryRunFindings }): Promise<{ readonly document: S3Pointer; readonly relations: readonly RelationChange[] }> {
      const { cancellationSignal: signal } = Context.current();
      const pointer = diffPointer(buckets.artifacts, cycle);
      const existing = await readJsonDocument<DiffDocument>(s3, pointer, signal);
      const document = existing ?? (await writeJsonDocumentOnce(s3, pointer, { cycle, ...findings, relations: await compareAll({ cycle, spec }) }, signal));
      return { document: pointer, relations: document.relations.map(changeOf) };
    },

    /**
     * Drops the dry run's tables and views and deletes its files; from then on nothing more of it can be made. Idempotent by (cycle,
     * generation). The job's output ages out by the refined bucket's lifecycle, as a cycle's does, and the diff by the artifacts bucket's.
     * @throws `Misconfigured`, not retryable, when somebody built on the shadow; a table that stays locked is retried
     */
    async dropDryRun({ cycle, spec }: DryRunInput): Promise<{ readonly tables: readonly string[] }> {
      return await heartbeating(
        () => ({ dropping: generationPrefix(cycle) }),
        async () => {
          const tables = await dropShadow(db, cycle, shadowPipeline(spec));
          const files = await deleteDryFiles(s3, buckets.artifacts, cycle, Context.current().cancellationSignal);
          log.info('Dry run dropped', { cycle: generationPrefix(cycle), tables, files });
          return { tables };
        },
      );
    },
  };

  async function compareAll({ cycle, spec }: DryRunInput): Promise<readonly RelationDiff[]> {
    const relations: RelationDiff[] = [];
    for (const relation of spec.relations) {
      const name = shadowOf(relation.name);
      const shadow = await findVersionOf(db, cycle, name);
      if (shadow === undefined || shadow.state === 'dropped') throw candidateGone({ relation: name, version: shadow?.version ?? 0 }, shadow?.state);
      relations.push(await heartbeating(() => ({ comparing: relation.name }), () => diffRelation(pool, relation, shadow)));
    }
    return relations;
  }

  /** The documents of the dry run's first `count` chunks. @throws `ObjectVanished`, not retryable: the dry run was dropped meanwhile */
  async function dryChunks(cycle: CycleRef, count: number, signal: AbortSignal): Promise<readonly ChunkDocument[]> {
    const documents: ChunkDocument[] = [];
    for (let chunk = 0; chunk < count; chunk++) {
      const document = await readDryChunk({ s3, buckets, table: { signal } }, cycle, chunk);
      if (document === undefined) {
        throw ApplicationFailure.nonRetryable(`Chunk ${chunk} of the dry run ${generationPrefix(cycle)} has no document: the dry run was dropped`, FailureType.ObjectVanished);
      }
      documents.push(document);
    }
    return documents;
  }
}
export type DryRunActivities = ReturnType<typeof createDryRunActivities>;

function changeOf({ relation, view, liveVersion, before, after, added, removed, changed, changedColumns }: RelationDiff): RelationChange {
  return { relation, view, ...(liveVersion === undefined ? {} : { liveVersion }), before, after, added, removed, changed, changedColumns };
}
