import type { S3Client } from '@aws-sdk/client-s3';
import { Context, log } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import type { Kysely } from 'kysely';
import type { Pool } from 'pg';
import type { CycleRef } from '../domain/cycle';
import type { S3Pointer } from '../domain/documents';
import { FailureType } from '../domain/failure-type';
import type { PipelineSpec } from '../domain/pipeline-spec';
import { loadedPartUris } from '../sql/queries/load-parts';
import { findVersion, findVersionOf, type VersionRow } from '../sql/queries/versions';
import type { Database } from '../sql/schema';
import { candidateGone } from './candidate-failures';
import { copyDays, copyUri } from './copy-days';
import { discardCandidates, makeCandidate } from './candidate';
import { finishTable } from './finish-candidate';
import { readJobRelation, relationOf } from './job-relation';
import { loadPart } from './load-part';
import { heartbeating } from './long-statement';
import { madeDays, readRefresh } from './load-refresh';

export interface LoadDependencies {
  readonly db: Kysely<Database>;
  /** The pool below `db`: COPY needs connections of its own. */
  readonly pool: Pool;
  readonly s3: S3Client;
}

interface CandidateInput {
  readonly cycle: CycleRef;
  readonly spec: PipelineSpec;
  readonly relation: string;
  /** The job's `_manifest.json`. */
  readonly manifest: S3Pointer;
  /** What the job was given; of a pipeline that is refreshed by day it says which days come from the base. */
  readonly input?: S3Pointer;
}

const DEFAULT_PARALLELISM = 3; // beyond that the parts wait for PostgreSQL's WAL, not for S3
const DEFAULT_IDLE_MS = 30_000;

/** Activities that fill a candidate: a versioned table that no reader sees yet. */
export function createLoadActivities({ db, pool, s3 }: LoadDependencies) {
  return {
    /**
     * Makes the candidate's table, checked against the declaration and the live view. Idempotent by (cycle, generation, relation).
     * @throws `IncompatibleColumns` with a diff, `TurnLost`, `CandidateGone`, none of them retryable
     */
    async createCandidate(input: CandidateInput & { readonly epoch: number }): Promise<{ readonly version: number; readonly table: string }> {
      const relation = relationOf(input.spec, input.relation);
      const { columns } = await readJobRelation(s3, input.manifest, relation);
      const { version, table } = await makeCandidate(db, { ...input, relation, manifestColumns: columns });
      log.info('Candidate ready for its rows', { table });
      return { version, table };
    },

    /**
     * Copies every part that is not in yet, 2–4 at a time, heartbeating parts and rows: the job's, and before them the unchanged days of
     * the version that the candidate builds on. Idempotent by (relation, version, part).
     * @param input.parallelism - parts at once, default 3
     * @param input.idleMs - longest wait for the next bytes of a part, default 30,000
     * @throws `CandidateGone`, `ObjectVanished`, `JobOutputInvalid`, not retryable; `ObjectDamaged`
     */
    async loadRelation(
      input: CandidateInput & { readonly version: number; readonly parallelism?: number; readonly idleMs?: number },
    ): Promise<{ readonly rows: number; readonly parts: number }> {
      const candidate = await findCandidate(db, input);
      const { copyParts, rows: jobRows } = await readJobRelation(s3, input.manifest, relationOf(input.spec, input.relation));
      const refresh = await readRefresh({ db, s3 }, input);
      const steps: readonly LoadStep[] = [
        ...refresh.copies.map(({ copy, base, by }) => ({ uri: copyUri(base, copy), run: () => copyDays({ pool, candidate, base, by, copy }) })),
        ...copyParts.map((part) => ({
          uri: part.uri,
          run: (signal: AbortSignal) => loadPart({ pool, s3, candidate, part, idleMs: input.idleMs ?? DEFAULT_IDLE_MS, signal }),
        })),
      ];
      const done = await loadedPartUris(db, candidate);
      const progress = { done: done.size, total: steps.length, unit: 'parts' };
      await heartbeating(
        () => ({ ...progress }),
        () =>
          inParallel(
            steps.filter((step) => !done.has(step.uri)),
            input.parallelism ?? DEFAULT_PARALLELISM,
            async (step, signal) => {
              await step.run(signal);
              progress.done += 1;
              Context.current().heartbeat({ ...progress });
            },
          ),
      );
      const rows = jobRows + refresh.rows;
      log.info('Parts loaded', { table: candidate.table, ...progress, rows, copied: refresh.rows });
      return { rows, parts: steps.length };
    },

    /**
     * Proves that every row is in once, builds the indexes, and makes the candidate ready to be promoted. Idempotent by
     * (relation, version): a finished one returns its count.
     * @throws `CountsDoNotAddUp`, `EmptyOutput`, `CandidateInvalid` for a repeated key, `CandidateGone`; none of them retryable
     */
    async finishCandidate(input: CandidateInput & { readonly version: number }): Promise<{ readonly rows: number }> {
      const candidate = await findCandidate(db, input);
      if (candidate.state === 'promoted' || candidate.state === 'loaded') return { rows: candidate.rows ?? 0 };
      const relation = relationOf(input.spec, input.relation);
      const job = await readJobRelation(s3, input.manifest, relation);
      const refresh = await readRefresh({ db, s3 }, input);
      const rows = job.rows + refresh.rows;
      const days = refresh.plan === undefined ? {} : { made: madeDays(refresh.plan, relation, job) };
      await finishTable(pool, candidate, relation, { rows, parts: job.copyParts.length + refresh.copies.length, ...days });
      log.info('Candidate loaded and proved', { table: candidate.table, rows });
      return { rows };
    },

    /**
     * Gives the generation up and drops its candidates, never with CASCADE. Idempotent by (cycle, generation).
     * @throws `CandidateInvalid`, not retryable, when one of them is served or was; a table that stays locked is retried
     */
    async dropCandidates({ cycle }: { readonly cycle: CycleRef }): Promise<{ readonly dropped: readonly string[] }> {
      return { dropped: await heartbeating(() => ({ dropping: true }), () => discardCandidates(db, cycle)) };
    },
  };
}
export type LoadActivities = ReturnType<typeof createLoadActivities>;

/** One row of the load ledger, and how it comes about. */
interface LoadStep {
  readonly uri: string;
  readonly run: (signal: AbortSignal) => Promise<boolean>;
}

async function findCandidate(
  db: Kysely<Database>,
  { cycle, relation, version }: { readonly cycle: CycleRef; readonly relation: string; readonly version: number },
): Promise<VersionRow> {
  const candidate = await findVersionOf(db, cycle, relation);
  if (candidate !== undefined && candidate.version === version) {
    if (candidate.state === 'dropped') throw candidateGone(candidate, candidate.state);
    return candidate;
  }
  const other = await findVersion(db, { relation, version });
  throw ApplicationFailure.nonRetryable(
    `${relation} version ${version} ${other === undefined ? 'does not exist' : 'belongs to another cycle'}: expected the candidate that createCandidate gave`,
    FailureType.CandidateGone,
  );
}

/** Runs `work` over `items`, `width` at a time; the first failure stops the others and is thrown once they have ended. */
async function inParallel<T>(items: readonly T[], width: number, work: (item: T, signal: AbortSignal) => Promise<void>): Promise<void> {
  const failure = new AbortController();
  const signal = AbortSignal.any([failure.signal, Context.current().cancellationSignal]);
  const queue = items.values();
  const lanes = Array.from({ length: Math.min(Math.max(width, 1), items.length) }, async () => {
    for (const item of queue) {
      try {
        await work(item, signal);
      } catch (error) {
        failure.abort(error);
        throw error;
      }
    }
  });
  await Promise.allSettled(lanes);
  Context.current().cancellationSignal.throwIfAborted();
  failure.signal.throwIfAborted();
}
