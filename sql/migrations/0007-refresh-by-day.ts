import { type Kysely, sql } from 'kysely';

/** What each day of a version was made from, so that the next version can take over the days that are the same. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table meridian.version add column refresh jsonb`.execute(db);
  await sql`
    create table meridian.version_day (
      relation text not null,
      version integer not null,
      day date not null,
      digest text not null,
      rows bigint not null check (rows >= 0),
      -- Where the quality gate finds these rows.
      parquet jsonb not null,
      built_at timestamptz not null,
      -- The version that the rows were copied from; null where the job made them.
      copied_from integer,
      primary key (relation, version, day),
      foreign key (relation, version) references meridian.version on delete cascade
    )`.execute(db);
}
