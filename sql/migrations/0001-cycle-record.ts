import { type Kysely, sql } from 'kysely';

/** The cycle record, its external jobs, and the turn of each dataset (design: words and identities). */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table meridian.cycle (
      pipeline text not null,
      interval_end timestamptz not null,
      generation integer not null check (generation > 0),
      dataset text not null,
      interval_start timestamptz not null check (interval_start < interval_end),
      workflow_id text not null,
      run_id text not null,
      spec jsonb not null,
      epoch bigint,
      outcome text check (outcome in ('promoted', 'empty', 'rejected', 'blocked', 'failed', 'cancelled')),
      detail text,
      counts jsonb not null default '{}',
      opened_at timestamptz not null default clock_timestamp(),
      sealed_at timestamptz,
      closed_at timestamptz,
      primary key (pipeline, interval_end, generation),
      constraint cycle_once_a_run unique (pipeline, interval_end, run_id),
      constraint cycle_closed_with_outcome check ((outcome is null) = (closed_at is null))
    )`.execute(db);
  await sql`create index cycle_open on meridian.cycle (dataset, epoch) where closed_at is null`.execute(db);
  await sql`
    create table meridian.job (
      pipeline text not null,
      interval_end timestamptz not null,
      generation integer not null,
      step text not null,
      client_token text not null unique,
      kind text not null check (kind in ('emr', 'glue')),
      parameters_hash text not null,
      external_id text,
      state text not null,
      recorded_at timestamptz not null default clock_timestamp(),
      changed_at timestamptz not null default clock_timestamp(),
      primary key (pipeline, interval_end, generation, step),
      foreign key (pipeline, interval_end, generation) references meridian.cycle
    )`.execute(db);
  await sql`
    create table meridian.turn (
      dataset text primary key,
      epoch bigint not null,
      holder_workflow_id text,
      holder_run_id text,
      taken_at timestamptz,
      constraint turn_holder_whole check ((holder_workflow_id is null) = (holder_run_id is null))
    )`.execute(db);
  await sql`
    create function meridian.epoch_only_grows() returns trigger language plpgsql as $$
    begin
      if new.epoch < old.epoch then
        raise exception 'epoch of dataset % would fall from % to %', old.dataset, old.epoch, new.epoch;
      end if;
      return new;
    end $$`.execute(db);
  await sql`
    create trigger epoch_only_grows before update on meridian.turn
    for each row execute function meridian.epoch_only_grows()`.execute(db);
}
