import { createHash } from 'node:crypto';
import { type EMRServerlessClient, GetApplicationCommand } from '@aws-sdk/client-emr-serverless';
import { ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import type { Kysely } from 'kysely';
import { FailureType } from '../domain/failure-type';
import { outputName, type PipelineSpec } from '../domain/pipeline-spec';
import { type DayInput, planDays, rebuildAll, refreshColumns, type RefreshBase, type RefreshPlan } from '../domain/refresh';
import { readBase } from '../sql/queries/version-days';
import { findServedVersion } from '../sql/queries/versions';
import type { Database } from '../sql/schema';

export interface RefreshDependencies {
  readonly db: Kysely<Database>;
  readonly s3: S3Client;
  readonly emr: EMRServerlessClient;
  readonly applicationId: string;
  /** `s3://bucket/jobs/<content hash>`: the code of every job, as deployed. */
  readonly jobsUri: string;
  readonly artifactsBucket: string;
}

/** A storage file with its event date. */
export interface DatedFile {
  readonly uri: string;
  readonly eventDate: string;
  readonly rowCount: number;
}

/**
 * What of the served days is the same as in the version that is live now, and what is to be made anew. Reads only; the transform's input
 * document keeps the answer, so that retries agree.
 * @param full - rebuild all days, because somebody said so
 */
export async function planRefresh(deps: RefreshDependencies, spec: PipelineSpec, files: readonly DatedFile[], full: boolean): Promise<RefreshPlan> {
  const references = await referenceEtags(deps, spec);
  const days = dayInputs(files, hashOf({ ...declared(spec), references, jobs: deps.jobsUri, engine: await engineOf(deps) }));
  const plannedAt = new Date().toISOString();
  const common = { plannedAt, columns: refreshColumns(spec), jobsUri: deps.jobsUri, references };
  if (full) return { ...common, ...rebuildAll(days), keptUris: [], why: 'asked for' };
  const bases = new Map<string, RefreshBase>();
  for (const { name } of spec.relations) {
    const served = await findServedVersion(deps.db, name);
    if (served !== undefined) bases.set(name, await readBase(deps.db, served));
  }
  const plan = planDays(spec.relations.map(({ name }) => name), days, bases, plannedAt);
  const kept = new Set(plan.kept.map(({ day }) => day));
  return { ...common, ...plan, keptUris: files.filter(({ eventDate }) => kept.has(eventDate)).map(({ uri }) => uri) };
}

/** The plan of a dry run: all days, from files that nobody will find again, so nothing will ever be copied from it. */
export function planDryRun(spec: PipelineSpec, files: readonly DatedFile[]): RefreshPlan {
  return { plannedAt: new Date().toISOString(), columns: refreshColumns(spec), references: {}, ...rebuildAll(dayInputs(files, 'dry run')), keptUris: [] };
}

/** Name → ETag of the pipeline's reference data. @throws `Misconfigured`, not retryable, for one that is not there */
export async function referenceEtags(
  { s3, artifactsBucket }: Pick<RefreshDependencies, 's3' | 'artifactsBucket'>,
  spec: PipelineSpec,
): Promise<Readonly<Record<string, string>>> {
  const etags: Record<string, string> = {};
  for (const [name, key] of Object.entries(spec.transform.references)) {
    // A listing, since the object itself is the job's to read: the key comes first of all that begin with it.
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: artifactsBucket, Prefix: key, MaxKeys: 1 }));
    const [found] = Contents ?? [];
    if (found?.Key !== key || found.ETag === undefined) {
      throw ApplicationFailure.nonRetryable(
        `Reference "${name}" of "${spec.name}", s3://${artifactsBucket}/${key}, is not there: put it there, or mend transform.references`,
        FailureType.Misconfigured,
      );
    }
    etags[name] = found.ETag;
  }
  return etags;
}

/** In order. A file's key is never written twice, so key and rows stand for its content. */
function dayInputs(files: readonly DatedFile[], recipe: string): readonly DayInput[] {
  const byDay = new Map<string, DatedFile[]>();
  for (const file of files) byDay.set(file.eventDate, [...(byDay.get(file.eventDate) ?? []), file]);
  return [...byDay]
    .map(([day, of]) => ({
      day,
      digest: hashOf({ recipe, files: of.map(({ uri, rowCount }) => `${uri} ${rowCount}`).sort() }),
      inputRows: of.reduce((sum, { rowCount }) => sum + rowCount, 0),
    }))
    .sort((a, b) => (a.day < b.day ? -1 : 1));
}

/** What of a declaration rows depend on. */
function declared({ record, transform, relations }: PipelineSpec) {
  return {
    record,
    job: transform.job,
    sparkConf: transform.sparkConf,
    relations: relations.map((relation) => ({ name: outputName(relation), columns: relation.columns, refreshBy: relation.refreshBy })),
  };
}

/** The Spark that the application runs: its release, and its image where it has one of its own. */
async function engineOf({ emr, applicationId }: RefreshDependencies) {
  const { application } = await emr.send(new GetApplicationCommand({ applicationId }));
  const { imageUri, resolvedImageDigest } = application?.imageConfiguration ?? {};
  return { release: application?.releaseLabel, imageUri, resolvedImageDigest };
}

function hashOf(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
