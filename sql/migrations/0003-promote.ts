import { type Kysely, sql } from 'kysely';

/**
 * The swap. One call, one transaction: run it in autocommit under a short `statement_timeout`, so that neither a reader nor
 * a stalled client can make other readers wait longer. Row locks come first, the views' locks last and in name order.
 * SQLSTATEs of its own: MR001 superseded, MR002 turn lost, MR003 candidate not loaded, MR004 generation given up or closed.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create function meridian.promote(
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
      v_target record;
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

      update meridian.version v set state = 'retired', retired_at = promote.promoted_at
        from jsonb_to_recordset(p_targets) as t(relation text) where v.relation = t.relation and v.state = 'promoted';
      update meridian.version v set state = 'promoted', promoted_at = promote.promoted_at
        from jsonb_to_recordset(p_targets) as t(relation text, version integer)
        where v.relation = t.relation and v.version = t.version;

      for v_target in
        select t.view, v.relation, v.version, v.table_name, v.columns
          from jsonb_to_recordset(p_targets) as t(relation text, version integer, view text)
          join meridian.version v on v.relation = t.relation and v.version = t.version
          order by t.view collate "C"
      loop
        perform meridian.point_view(v_target.view, v_target.table_name, v_target.columns,
          jsonb_build_object('relation', v_target.relation, 'version', v_target.version, 'table', v_target.table_name,
            'pipeline', p_pipeline, 'intervalEnd', p_interval_end, 'generation', p_generation,
            'sequence', promote.sequence, 'promotedAt', promote.promoted_at) || p_metadata);
      end loop;

      promote.already := false;
      promote.swap_ms := extract(epoch from clock_timestamp() - statement_timestamp()) * 1000;
      update meridian.promotion p set swap_ms = promote.swap_ms where p.pipeline = p_pipeline and p.sequence = promote.sequence;
    end $$`.execute(db);

  await sql`
    create function meridian.point_view(p_view text, p_table text, p_columns jsonb, p_comment jsonb) returns void
    language plpgsql as $$
    declare
      v_columns text;
      v_options text;
    begin
      -- Explicit columns: a prepared "select *" over the view survives an appended column.
      select string_agg(format('%I', c.value ->> 'name'), ', ' order by c.ordinality) into v_columns
        from jsonb_array_elements(p_columns) with ordinality c;
      -- "create or replace" resets options such as security_barrier unless they are repeated.
      select 'with (' || string_agg(format('%I = %L', split_part(o, '=', 1), substr(o, strpos(o, '=') + 1)), ', ') || ')' into v_options
        from pg_class c, unnest(c.reloptions) o
        where c.relnamespace = 'public'::regnamespace and c.relname = p_view and c.relkind = 'v';
      execute format('create or replace view public.%I %s as select %s from public.%I', p_view, coalesce(v_options, ''), v_columns, p_table);
      execute format('comment on view public.%I is %L', p_view, p_comment::text);
      if exists (select from pg_roles where rolname = 'meridian_reader')
         and not has_table_privilege('meridian_reader', format('public.%I', p_view), 'select') then
        execute format('grant select on public.%I to meridian_reader', p_view);
      end if;
    end $$`.execute(db);
}
