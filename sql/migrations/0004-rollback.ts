import { type Kysely, sql } from 'kysely';

/**
 * Rollback is the promotion's swap to a version that is kept. It holds the pipeline's next promotions until somebody says to go on:
 * the cycles meanwhile are stored, and end blocked (SQLSTATE MR005). `meridian.serve_versions` is what both swaps do once they may.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  // What asked for a rollback: an attempt whose answer was lost finds its row by it.
  await sql`alter table meridian.promotion add column request_id text unique`.execute(db);
  await sql`
    create table meridian.promotion_hold (
      pipeline text not null,
      sequence bigint not null,
      placed_by text not null,
      reason text not null,
      placed_at timestamptz not null,
      released_at timestamptz,
      released_by text,
      primary key (pipeline, sequence),
      foreign key (pipeline, sequence) references meridian.promotion,
      constraint hold_released_by_somebody check ((released_at is null) = (released_by is null))
    )`.execute(db);
  await sql`create unique index promotion_held on meridian.promotion_hold (pipeline) where released_at is null`.execute(db);
  await sql`
    create function meridian.serve_versions(p_pipeline text, p_targets jsonb, p_at timestamptz, p_comment jsonb) returns void
    language plpgsql as $$
    declare
      v_target record;
    begin
      update meridian.version v set state = 'retired', retired_at = p_at
        from jsonb_to_recordset(p_targets) as t(relation text) where v.relation = t.relation and v.state = 'promoted';
      update meridian.version v set state = 'promoted', promoted_at = p_at
        from jsonb_to_recordset(p_targets) as t(relation text, version integer)
        where v.relation = t.relation and v.version = t.version;
      for v_target in
        select t.view, v.relation, v.version, v.table_name, v.columns, v.interval_end, v.generation
          from jsonb_to_recordset(p_targets) as t(relation text, version integer, view text)
          join meridian.version v on v.relation = t.relation and v.version = t.version
          order by t.view collate "C"
      loop
        perform meridian.point_view(v_target.view, v_target.table_name, v_target.columns,
          jsonb_build_object('relation', v_target.relation, 'version', v_target.version, 'table', v_target.table_name,
            'pipeline', p_pipeline, 'intervalEnd', v_target.interval_end, 'generation', v_target.generation,
            'promotedAt', p_at) || p_comment);
      end loop;
    end $$`.execute(db);
  await sql`
    create or replace function meridian.promote(
      p_dataset text,
      p_pipeline text,
      p_interval_end timestamptz,
      p_generation integer,
      p_epoch bigint,
      p_targets jsonb, -- [{"relation": …, "version": …, "view": …}]
      p_promoted_by text,
      p_metadata jsonb,
      out sequence bigint,
      out promoted_at timestamptz,
      out swap_ms double precision,
      out already boolean
    ) language plpgsql as $$
    #variable_conflict use_column
    declare
      v_given_up_at timestamptz;
      v_base bigint;
      v_latest bigint;
      v_not_loaded text;
      v_hold record;
    begin
      -- Attempts of one generation queue here, so that the second one finds the first one's ledger row.
      select coalesce(c.sealed_at, c.closed_at) into strict v_given_up_at from meridian.cycle c
        where c.pipeline = p_pipeline and c.interval_end = p_interval_end and c.generation = p_generation for update;

      select p.sequence, p.promoted_at, p.swap_ms, true into promote.sequence, promote.promoted_at, promote.swap_ms, promote.already
        from meridian.promotion p
        where p.pipeline = p_pipeline and p.interval_end = p_interval_end and p.generation = p_generation and p.kind = 'cycle';
      if found then return; end if;

      if v_given_up_at is not null then
        raise exception 'generation % of % was given up or closed at %', p_generation, p_pipeline, v_given_up_at using errcode = 'MR004';
      end if;

      -- Held to the end: a take-over of the turn comes before this promotion or after it, never in between.
      perform from meridian.turn t where t.dataset = p_dataset and t.epoch = p_epoch and t.holder_run_id is not null for share;
      if not found then
        raise exception 'epoch % of dataset % is no longer the turn''s', p_epoch, p_dataset using errcode = 'MR002';
      end if;

      perform meridian.lock_promotions(p_pipeline);
      select h.placed_by, h.placed_at, h.reason into v_hold from meridian.promotion_hold h where h.pipeline = p_pipeline and h.released_at is null;
      if found then
        raise exception 'rolled back by % at %: %', v_hold.placed_by, to_char(v_hold.placed_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'), v_hold.reason
          using errcode = 'MR005';
      end if;

      perform from meridian.version v join jsonb_to_recordset(p_targets) as t(relation text, version integer)
        on v.relation = t.relation and v.version = t.version order by v.relation for update of v;
      select string_agg(format('%s version %s is %s', t.relation, t.version, coalesce(v.state, 'unknown')), ', ') into v_not_loaded
        from jsonb_to_recordset(p_targets) as t(relation text, version integer)
        left join meridian.version v on v.relation = t.relation and v.version = t.version
          and v.pipeline = p_pipeline and v.interval_end = p_interval_end and v.generation = p_generation
        where v.state is distinct from 'loaded';
      if v_not_loaded is not null then
        raise exception '%', v_not_loaded using errcode = 'MR003';
      end if;

      select min(v.base_sequence) into strict v_base from meridian.version v
        join jsonb_to_recordset(p_targets) as t(relation text, version integer) on v.relation = t.relation and v.version = t.version;
      select coalesce(max(p.sequence), 0) into v_latest from meridian.promotion p where p.pipeline = p_pipeline;
      promote.sequence := v_base + 1;
      promote.promoted_at := clock_timestamp();
      if v_latest = v_base then
        insert into meridian.promotion (pipeline, sequence, kind, interval_end, generation, relations, epoch, promoted_by, promoted_at, metadata)
        select p_pipeline, promote.sequence, 'cycle', p_interval_end, p_generation,
               (select jsonb_object_agg(t.relation, t.version) from jsonb_to_recordset(p_targets) as t(relation text, version integer)),
               p_epoch, p_promoted_by, promote.promoted_at, p_metadata
        on conflict (pipeline, sequence) do nothing;
      end if;
      if v_latest <> v_base or not found then
        raise exception 'promotion % of % was expected next, but % exists', v_base + 1, p_pipeline, greatest(v_latest, v_base + 1)
          using errcode = 'MR001';
      end if;

      perform meridian.serve_versions(p_pipeline, p_targets, promote.promoted_at, jsonb_build_object('sequence', promote.sequence) || p_metadata);
      promote.already := false;
      promote.swap_ms := extract(epoch from clock_timestamp() - statement_timestamp()) * 1000;
      update meridian.promotion p set swap_ms = promote.swap_ms where p.pipeline = p_pipeline and p.sequence = promote.sequence;
    end $$`.execute(db);
  // Promotions and rollbacks of one pipeline come one after the other: else each could wait for the other's rows.
  await sql`
    create function meridian.lock_promotions(p_pipeline text) returns void language sql as $$
      select pg_advisory_xact_lock(x'6d657270'::integer, hashtext(p_pipeline)) -- "merp"
    $$`.execute(db);
  await sql`
    create function meridian.rollback(
      p_pipeline text,
      p_request_id text,
      p_latest bigint, -- the promotion that is served, as the plan saw it
      p_restored bigint, -- the promotion whose versions come back
      p_targets jsonb, -- as of promote
      p_by text,
      p_reason text,
      p_hold boolean,
      out sequence bigint,
      out promoted_at timestamptz,
      out swap_ms double precision,
      out already boolean
    ) language plpgsql as $$
    #variable_conflict use_column
    declare
      v_latest record;
      v_gone text;
    begin
      perform meridian.lock_promotions(p_pipeline);
      select p.sequence, p.promoted_at, p.swap_ms, true into rollback.sequence, rollback.promoted_at, rollback.swap_ms, rollback.already
        from meridian.promotion p where p.request_id = p_request_id;
      if found then return; end if;

      select p.sequence, p.epoch into strict v_latest from meridian.promotion p where p.pipeline = p_pipeline order by p.sequence desc limit 1;
      if v_latest.sequence <> p_latest then
        raise exception 'promotion % of % was expected to be served, but % is', p_latest, p_pipeline, v_latest.sequence using errcode = 'MR001';
      end if;

      perform from meridian.version v join jsonb_to_recordset(p_targets) as t(relation text, version integer)
        on v.relation = t.relation and v.version = t.version order by v.relation for update of v;
      select string_agg(format('%s version %s is %s', t.relation, t.version, coalesce(v.state, 'unknown')), ', ') into v_gone
        from jsonb_to_recordset(p_targets) as t(relation text, version integer)
        left join meridian.version v on v.relation = t.relation and v.version = t.version and v.pipeline = p_pipeline
        where v.state is distinct from 'retired';
      if v_gone is not null then
        raise exception '%', v_gone using errcode = 'MR003';
      end if;

      rollback.sequence := v_latest.sequence + 1;
      rollback.promoted_at := clock_timestamp();
      insert into meridian.promotion (pipeline, sequence, kind, interval_end, generation, relations, epoch, promoted_by, promoted_at, metadata, request_id)
      select p_pipeline, rollback.sequence, 'rollback', p.interval_end, p.generation, p.relations, v_latest.epoch, p_by, rollback.promoted_at,
             jsonb_build_object('rolledBackBy', p_by, 'rollbackReason', p_reason, 'from', p_latest, 'restored', p_restored), p_request_id
        from meridian.promotion p where p.pipeline = p_pipeline and p.sequence = p_restored;

      update meridian.promotion_hold h set released_at = rollback.promoted_at, released_by = p_by
        where h.pipeline = p_pipeline and h.released_at is null;
      if p_hold then
        insert into meridian.promotion_hold (pipeline, sequence, placed_by, reason, placed_at)
        values (p_pipeline, rollback.sequence, p_by, p_reason, rollback.promoted_at);
      end if;

      perform meridian.serve_versions(p_pipeline, p_targets, rollback.promoted_at,
        jsonb_build_object('sequence', rollback.sequence, 'rolledBackBy', p_by, 'rollbackReason', p_reason));
      rollback.already := false;
      rollback.swap_ms := extract(epoch from clock_timestamp() - statement_timestamp()) * 1000;
      update meridian.promotion p set swap_ms = rollback.swap_ms where p.pipeline = p_pipeline and p.sequence = rollback.sequence;
    end $$`.execute(db);
}
