import type { S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import type { Kysely } from 'kysely';
import type { JobRelation, S3Pointer } from '../domain/documents';
import { FailureType } from '../domain/failure-type';
import type { ColumnSpec, PipelineSpec, RelationSpec } from '../domain/pipeline-spec';
import { copiesOf, type DayCopy, refreshColumn, type RefreshPlan } from '../domain/refresh';
import type { NotedDay } from '../sql/queries/version-days';
import { findVersion, type VersionRow } from '../sql/queries/versions';
import type { Database, VersionRefresh } from '../sql/schema';
import { relationOf } from './job-relation';
import { requiredTransformInput } from './transform-input';

/** What a candidate takes over from the version that it builds on. */
export interface LoadRefresh {
  /** Absent where the pipeline is not refreshed by day. */
  readonly plan?: RefreshPlan;
  readonly copies: readonly { readonly copy: DayCopy; readonly base: VersionRow; readonly by: ColumnSpec }[];
  /** Of all copies. */
  readonly rows: number;
}

/** How a version was made, and what of: noted when it is loaded. */
export interface MadeDays {
  readonly refresh: VersionRefresh;
  readonly days: readonly NotedDay[];
}

/** The plan for one relation; no copies without one. @throws `CandidateGone`, not retryable, when the base is not on record */
export async function readRefresh(
  { db, s3 }: { readonly db: Kysely<Database>; readonly s3: S3Client },
  { spec, relation, input }: { readonly spec: PipelineSpec; readonly relation: string; readonly input?: S3Pointer },
): Promise<LoadRefresh> {
  const by = refreshColumn(relationOf(spec, relation));
  if (input === undefined || by === undefined) return { copies: [], rows: 0 };
  const { refresh: plan } = await requiredTransformInput(s3, input);
  if (plan === undefined) return { copies: [], rows: 0 };
  const version = plan.base[relation];
  if (version === undefined) return { plan, copies: [], rows: 0 };
  const base = await findVersion(db, { relation, version });
  if (base === undefined) {
    throw ApplicationFailure.nonRetryable(`${relation} version ${version} is not on record: expected the version whose unchanged days are taken over. Run the cycle again`, FailureType.CandidateGone);
  }
  const copies = copiesOf(plan, relation);
  return { plan, copies: copies.map((copy) => ({ copy, base, by })), rows: copies.reduce((sum, copy) => sum + copy.rows, 0) };
}

/** Every served day of a relation with what it was made from; a day without rows too, else it would be made anew each time. */
export function madeDays(plan: RefreshPlan, relation: RelationSpec, job: JobRelation): MadeDays {
  const base = plan.base[relation.name];
  const written = new Map(job.days?.map((each) => [each.day, each]));
  // Counted from before the job began: the gate must not look for files that have expired.
  const days = [
    ...plan.rebuilt.map(({ day, digest }): NotedDay => ({ day, digest, builtAt: plan.plannedAt, rows: written.get(day)?.rows ?? 0, parquet: Object.values(written.get(day)?.parquet ?? {}) })),
    ...plan.kept.flatMap(({ day, digest, builtAt, relations }): readonly NotedDay[] => {
      const built = relations[relation.name];
      return built === undefined ? [] : [{ day, digest, builtAt, ...built, ...(base === undefined ? {} : { copiedFrom: base }) }];
    }),
  ];
  const refresh = { days: days.length, rebuilt: plan.rebuilt.length, ...(base === undefined ? {} : { base }), ...(plan.why === undefined ? {} : { why: plan.why }) };
  return { refresh, days };
}
