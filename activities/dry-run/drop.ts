import type { S3Client } from '@aws-sdk/client-s3';
import { ApplicationFailure } from '@temporalio/common';
import type { Kysely } from 'kysely';
import { type CycleRef, generationPrefix } from '../../domain/cycle';
import { FailureType } from '../../domain/failure-type';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { dropView } from '../../sql/queries/candidate-tables';
import { sealGeneration } from '../../sql/queries/cycles';
import { findVersionsOf, lockVersion, type VersionRow } from '../../sql/queries/versions';
import type { Database, VersionState } from '../../sql/schema';
import { dropVersion, setLockTimeout } from '../candidate';
import { sqlState } from '../candidate-failures';
import { deleteBelow } from '../delete-objects';
import { relationOf } from '../job-relation';
import { chunksPrefix } from './places';

const LOCK_TIMEOUT = '10s'; // somebody reads the shadow at this moment: the activity is tried again
const EVERY_STATE: readonly VersionState[] = ['loading', 'loaded', 'promoted', 'retired'];
const DEPENDENT_OBJECTS = '2BP01';

/**
 * Gives a dry run's generation up and drops its tables, and the views that read them, never with CASCADE. Idempotent.
 * @throws `Misconfigured`, not retryable, when somebody built on them
 */
export async function dropShadow(db: Kysely<Database>, cycle: CycleRef, shadow: PipelineSpec): Promise<readonly string[]> {
  await sealGeneration(db, cycle);
  const versions = await findVersionsOf(db, cycle);
  for (const version of versions) {
    try {
      await dropServedView(db, version, relationOf(shadow, version.relation).view);
      await dropVersion(db, version, EVERY_STATE, LOCK_TIMEOUT);
    } catch (error) {
      if (sqlState(error) !== DEPENDENT_OBJECTS) throw error;
      throw ApplicationFailure.nonRetryable(
        `${version.table} of the dry run ${generationPrefix(cycle)} cannot be dropped: ${(error as Error).message}. Drop what was built on it, ` +
          'then start a dry run of the pipeline, which drops what earlier ones left',
        FailureType.Misconfigured,
      );
    }
  }
  return versions.map(({ table }) => table);
}

/** Deletes what a dry run wrote to the artifacts bucket, but for the diff. Idempotent. */
export async function deleteDryFiles(s3: S3Client, artifacts: string, cycle: CycleRef, signal: AbortSignal): Promise<number> {
  const chunks = await deleteBelow(s3, artifacts, chunksPrefix(cycle), signal);
  return chunks + (await deleteBelow(s3, artifacts, `cycles/${generationPrefix(cycle)}/`, signal));
}

/** The view goes with the version that it serves; a later dry run's stays. */
async function dropServedView(db: Kysely<Database>, version: VersionRow, view: string): Promise<void> {
  if (version.state !== 'promoted') return;
  await db.transaction().execute(async (trx) => {
    await setLockTimeout(trx, LOCK_TIMEOUT);
    if ((await lockVersion(trx, version)) === 'promoted') await dropView(trx, view);
  });
}
