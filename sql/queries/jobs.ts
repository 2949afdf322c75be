import { type Kysely, sql } from 'kysely';
import type { CycleRef } from '../../domain/cycle';
import { type JobRef, TERMINAL_JOB_STATES } from '../../domain/job-ref';
import type { Database } from '../schema';
import { generationKey } from './generation';

export interface NewJob {
  readonly cycle: CycleRef;
  readonly step: string;
  readonly kind: JobRef['kind'];
  readonly clientToken: string;
  readonly parametersHash: string;
}

/** Puts the token on record; an earlier record of it stays as it is. */
export async function insertJob(db: Kysely<Database>, job: NewJob): Promise<void> {
  await db
    .insertInto('meridian.job')
    .values({
      ...generationKey(job.cycle),
      step: job.step,
      client_token: job.clientToken,
      kind: job.kind,
      parameters_hash: job.parametersHash,
      state: 'RECORDED',
    })
    .onConflict((conflict) => conflict.column('client_token').doNothing())
    .execute();
}

export interface JobRecord extends JobRef {
  readonly parametersHash: string;
}

export async function findJob(db: Kysely<Database>, clientToken: string): Promise<JobRecord | undefined> {
  const row = await db.selectFrom('meridian.job').selectAll().where('client_token', '=', clientToken).executeTakeFirst();
  return row === undefined ? undefined : { ...toJobRef(row), parametersHash: row.parameters_hash };
}

/**
 * Notes what the service said of a job. A terminal state stands: a late poll cannot make a job look alive again.
 * @returns false when no job has that token
 */
export async function updateJobState(
  db: Kysely<Database>,
  job: { readonly clientToken: string; readonly externalId?: string; readonly state: string },
): Promise<boolean> {
  const row = await db
    .updateTable('meridian.job')
    .set({
      ...(job.externalId === undefined ? {} : { external_id: job.externalId }),
      state: sql<string>`case when state in (${sql.join([...TERMINAL_JOB_STATES])}) then state else ${job.state} end`,
      changed_at: sql<Date>`clock_timestamp()`,
    })
    .where('client_token', '=', job.clientToken)
    .returning('client_token')
    .executeTakeFirst();
  return row !== undefined;
}

/** Every job of one generation, in the order of their recording. */
export async function listJobs(db: Kysely<Database>, cycle: CycleRef): Promise<readonly JobRef[]> {
  const rows = await db
    .selectFrom('meridian.job')
    .selectAll()
    .where('pipeline', '=', cycle.pipeline)
    .where('interval_end', '=', new Date(cycle.intervalEnd))
    .where('generation', '=', cycle.generation)
    .orderBy('recorded_at')
    .execute();
  return rows.map(toJobRef);
}

/** Jobs of one generation that may still be alive. */
export async function findOpenJobs(db: Kysely<Database>, cycle: CycleRef): Promise<readonly JobRef[]> {
  return await openJobs(db, cycle, '=');
}

/** Jobs of the same cycle's older generations that may still be alive. */
export async function findOlderOpenJobs(db: Kysely<Database>, cycle: CycleRef): Promise<readonly JobRef[]> {
  return await openJobs(db, cycle, '<');
}

async function openJobs(db: Kysely<Database>, cycle: CycleRef, generations: '=' | '<'): Promise<readonly JobRef[]> {
  const rows = await db
    .selectFrom('meridian.job')
    .selectAll()
    .where('pipeline', '=', cycle.pipeline)
    .where('interval_end', '=', new Date(cycle.intervalEnd))
    .where('generation', generations, cycle.generation)
    .where('state', 'not in', [...TERMINAL_JOB_STATES])
    .orderBy('recorded_at')
    .execute();
  return rows.map(toJobRef);
}

function toJobRef(row: {
  readonly kind: JobRef['kind'];
  readonly step: string;
  readonly client_token: string;
  readonly external_id: string | null;
  readonly state: string;
}): JobRef {
  return {
    kind: row.kind,
    step: row.step,
    clientToken: row.client_token,
    ...(row.external_id === null ? {} : { externalId: row.external_id }),
    state: row.state,
  };
}
