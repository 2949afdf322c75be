import { type Kysely, sql } from 'kysely';

/** Versioned tables, what was loaded into them, which of them were promoted, and which outcomes were told. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table meridian.version (
      relation text not null,
      version integer not null check (version > 0),
      table_name text not null unique,
      pipeline text not null,
      interval_end timestamptz not null,
      generation integer not null,
      state text not null check (state in ('loading', 'loaded', 'promoted', 'retired', 'dropped')),
      columns jsonb not null,
      base_sequence bigint not null,
      rows bigint check (rows >= 0),
      created_at timestamptz not null default clock_timestamp(),
      loaded_at timestamptz,
      promoted_at timestamptz,
      retired_at timestamptz,
      dropped_at timestamptz,
      primary key (relation, version),
      constraint version_once_a_generation unique (relation, pipeline, interval_end, generation),
      foreign key (pipeline, interval_end, generation) references meridian.cycle
    )`.execute(db);
  await sql`create unique index version_served on meridian.version (relation) where state = 'promoted'`.execute(db);
  await sql`
    create table meridian.load_part (
      relation text not null,
      version integer not null,
      part_uri text not null,
      etag text not null,
      rows bigint not null check (rows >= 0),
      size_bytes bigint not null,
      loaded_at timestamptz not null default clock_timestamp(),
      primary key (relation, version, part_uri),
      foreign key (relation, version) references meridian.version
    )`.execute(db);
  await sql`
    create table meridian.promotion (
      pipeline text not null,
      sequence bigint not null check (sequence > 0),
      kind text not null check (kind in ('cycle', 'rollback')),
      interval_end timestamptz not null,
      generation integer not null,
      relations jsonb not null,
      epoch bigint not null,
      promoted_by text not null,
      promoted_at timestamptz not null,
      metadata jsonb not null,
      swap_ms double precision,
      primary key (pipeline, sequence),
      foreign key (pipeline, interval_end, generation) references meridian.cycle
    )`.execute(db);
  await sql`
    create unique index promotion_once_a_generation on meridian.promotion (pipeline, interval_end, generation)
    where kind = 'cycle'`.execute(db);
  await sql`
    create table meridian.notification (
      outcome_id text primary key,
      claims integer not null,
      claimed_at timestamptz not null,
      confirmed_at timestamptz
    )`.execute(db);
}
