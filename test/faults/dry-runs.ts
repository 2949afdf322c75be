import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { paginateScan } from '@aws-sdk/client-dynamodb';
import { GetPartitionsCommand } from '@aws-sdk/client-glue';
import { GetObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import type { WorkflowHandle } from '@temporalio/client';
import type { DiffDocument, DryRunReport } from '../../domain/dry-run';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { dryRunWorkflowId, shadowName, shadowPipeline } from '../../domain/shadow-pipeline';
import type { dryRun } from '../../workflows';
import type { Lab } from './lab';
import { nightEnd } from './raw-night';

export type DryRunHandle = WorkflowHandle<typeof dryRun>;
const LIMIT_MS = 60_000;

/** Starts a dry run as `temporal workflow start --type dryRun` would. */
export function startDryRun(lab: Lab, spec: PipelineSpec, index: number, keepHours?: number): Promise<DryRunHandle> {
  const intervalEnd = nightEnd(index);
  return lab.access.temporal.workflow.start<typeof dryRun>('dryRun', {
    workflowId: dryRunWorkflowId(spec.name, intervalEnd),
    taskQueue: 'meridian',
    args: [{ pipeline: spec.name, intervalEnd, ...(keepHours === undefined ? {} : { keepHours }) }],
  });
}

/** The report of a dry run that keeps its shadow. @throws what it failed with, if it did */
export async function comparedReport(handle: DryRunHandle): Promise<DryRunReport> {
  const deadline = Date.now() + LIMIT_MS;
  for (;;) {
    const report = await handle.query<DryRunReport | undefined>('report').catch(() => undefined);
    if (report !== undefined) return report;
    const { status } = await handle.describe();
    if (status.name !== 'RUNNING') return await handle.result();
    if (Date.now() > deadline) throw new Error(`${handle.workflowId} has nothing to report after ${LIMIT_MS / 1_000} s`);
    await sleep(100);
  }
}

/** Waits until the dry run, or a night, runs a stage. */
export async function reaches(handle: WorkflowHandle, stage: string, state = 'running'): Promise<void> {
  const deadline = Date.now() + LIMIT_MS;
  for (;;) {
    const progress = await handle.query<{ stages: readonly { stage: string; state: string }[] }>('progress').catch(() => undefined);
    if (progress?.stages.some((row) => row.stage === stage && row.state === state) === true) return;
    if (Date.now() > deadline) throw new Error(`${handle.workflowId} did not reach ${stage} within ${LIMIT_MS / 1_000} s`);
    await sleep(50);
  }
}

export async function diffOf(lab: Lab, report: DryRunReport): Promise<DiffDocument> {
  const { bucket: Bucket, key: Key } = report.diff?.document ?? { bucket: '', key: '' };
  const { Body } = await lab.access.s3.send(new GetObjectCommand({ Bucket, Key }));
  return JSON.parse((await Body?.transformToString()) ?? '') as DiffDocument;
}

/** Names in the buckets, below prefixes, each with the ETag of what is there. */
async function objectsBelow(lab: Lab, bucket: string, prefix: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const page of paginateListObjectsV2({ client: lab.access.s3 }, { Bucket: bucket, Prefix: prefix })) {
    found.push(...(page.Contents ?? []).map(({ Key, ETag }) => `${Key} ${ETag}`));
  }
  return found;
}

async function itemsOf(lab: Lab, table: string, dataset: string): Promise<readonly string[]> {
  const items: string[] = [];
  for await (const page of paginateScan({ client: lab.access.dynamodb }, { TableName: table })) {
    items.push(...(page.Items ?? []).filter((item) => item.pk?.S?.startsWith(`${dataset}#`) === true).map((item) => JSON.stringify(item, Object.keys(item).sort())));
  }
  return items.sort();
}

/** All that a dry run may not change, byte for byte: ledger, objects, storage, quarantine, views, records, turn and catalog of a pipeline. */
export async function publishedState(lab: Lab, spec: PipelineSpec): Promise<Readonly<Record<string, unknown>>> {
  const { pool, names, glue } = lab.access;
  const rows = async (text: string, values: readonly unknown[] = []) => (await pool.query<Record<string, unknown>>(text, [...values])).rows;
  const partitions = async (table: string) => {
    const { Partitions = [] } = await glue.send(new GetPartitionsCommand({ DatabaseName: names.glueDatabase, TableName: table }));
    return Partitions.map(({ Values, StorageDescriptor }) => [Values, StorageDescriptor?.Location]);
  };
  return {
    ledger: digest(await itemsOf(lab, names.ledgerTable, spec.dataset)),
    objects: digest(await itemsOf(lab, names.objectsTable, spec.dataset)),
    storage: await objectsBelow(lab, names.buckets.storage, ''),
    quarantine: await objectsBelow(lab, names.buckets.quarantine, ''),
    views: await Promise.all(
      spec.relations.map(async ({ view, key }) => ({
        rows: await rows(`select count(*)::int, md5(string_agg(t::text, e'\\n' order by ${key.join(', ')})) from public.${view} t`),
        view: await rows(`select oid, relname, obj_description(oid, 'pg_class') as comment, pg_get_viewdef(oid) from pg_class where relname = $1`, [view]),
      })),
    ),
    cycles: await rows('select * from meridian.cycle where pipeline = $1 order by interval_end, generation', [spec.name]),
    versions: await rows('select * from meridian.version where pipeline = $1 order by relation, version', [spec.name]),
    promotions: await rows('select * from meridian.promotion where pipeline = $1 order by sequence', [spec.name]),
    turn: await rows('select * from meridian.turn where dataset = $1', [spec.dataset]),
    told: await rows('select * from meridian.notification where outcome_id like $1', [`${spec.name}%`]),
    catalog: [await partitions(spec.dataset), await partitions(`${spec.dataset}_candidate`)],
  };
}

/** What is left of a pipeline's dry runs anywhere: nothing but records, and the comparisons in S3. */
export async function dryRunLeftovers(lab: Lab, spec: PipelineSpec): Promise<readonly string[]> {
  const { pool, names, glue } = lab.access;
  const shadow = shadowPipeline(spec);
  const artifacts = names.buckets.artifacts;
  const { rows: relations } = await pool.query<{ name: string }>(
    `select relkind::text || ' ' || relname as name from pg_class where relnamespace = 'public'::regnamespace and relname ~ $1`,
    [shadow.relations.map(({ name, view }) => `^(${name}|${view})`).join('|')],
  );
  const { rows: open } = await pool.query<{ name: string }>(
    `select 'open cycle ' || generation as name from meridian.cycle where pipeline = $1 and closed_at is null
     union all select 'version ' || table_name from meridian.version where pipeline = $1 and dropped_at is null
     union all select 'job ' || client_token from meridian.job where pipeline = $1 and state not in ('SUCCESS', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'STOPPED', 'NEVER_STARTED')
     union all select 'turn of ' || holder_workflow_id from meridian.turn where dataset = $2 and holder_run_id is not null`,
    [shadow.name, shadow.dataset],
  );
  const { Partitions = [] } = await glue.send(new GetPartitionsCommand({ DatabaseName: names.glueDatabase, TableName: `${spec.dataset}_candidate` }));
  const files = [...(await objectsBelow(lab, artifacts, `dry-runs/${shadowName(spec.name)}/`)), ...(await objectsBelow(lab, artifacts, `cycles/${shadowName(spec.name)}/`))];
  return [
    ...[...relations, ...open].map(({ name }) => name),
    ...Partitions.map(({ Values }) => `partition ${Values?.join('/')}`).filter((name) => name.includes('.dry-')),
    ...files.filter((name) => !name.includes('/diff.json ')),
  ];
}

/** Rows of a view or table but for where they came from, as one text. */
export async function contentOf(lab: Lab, spec: PipelineSpec, relation: string, name: string): Promise<string> {
  const columns = spec.relations.find((each) => each.name === relation)?.columns.filter((column) => !['cycle_id', 'generation'].includes(column.name)) ?? [];
  const list = columns.map((column) => column.name).join(', ');
  const { rows } = await lab.access.pool.query<{ digest: string }>(
    `select count(*) || ' ' || md5(string_agg(t::text, e'\\n' order by t::text)) as digest from (select ${list} from public.${name}) t`,
  );
  return rows[0]?.digest ?? '';
}

function digest(lines: readonly string[]): string {
  return `${lines.length} ${createHash('sha256').update(lines.join('\n')).digest('hex')}`;
}
