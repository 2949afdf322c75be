import { DeletePartitionCommand, EntityNotFoundException, GetPartitionsCommand, type GlueClient } from '@aws-sdk/client-glue';
import type { S3Client } from '@aws-sdk/client-s3';
import { type CycleRef, generationPrefix } from '../domain/cycle';
import type { S3Pointer } from '../domain/documents';
import { outputName, type PipelineSpec } from '../domain/pipeline-spec';
import { isRefreshedByDay } from '../domain/refresh';
import { createCatalogPartitions } from './catalog-partitions';
import { readJobRelation, relationOf } from './job-relation';
import { requiredTransformInput } from './transform-input';

/** What the job was given and what it left: of a pipeline that is refreshed by day they say where the rows of each day stand. */
export interface TransformDocuments {
  readonly input: S3Pointer;
  readonly manifest: S3Pointer;
}

/** Rows in S3 under a value of `origin`: `added` and `kept` by the job, `unchanged` by an earlier one; by day with the day behind. */
export interface GatePartition {
  readonly origin: string;
  readonly location: string;
}

const DELETIONS_AT_ONCE = 10; // Glue has no limit of its own; it throttles

/** The partition value that holds one generation's rows in the candidate table of the catalog. */
export function qualityRunPartition(cycle: CycleRef): string {
  return generationPrefix(cycle).replaceAll('/', '-');
}

/** Name in the Glue catalog of the table over refined rows that wait for the gate. */
export function candidateCatalogTable(dataset: string): string {
  return `${dataset}_candidate`;
}

/** Where the rows of a would-be version stand. @param output - the generation whose job wrote them */
export async function gatePartitions(
  { s3, refinedBucket }: { readonly s3: S3Client; readonly refinedBucket: string },
  { spec, output, documents }: { readonly spec: PipelineSpec; readonly output: CycleRef; readonly documents?: TransformDocuments },
): Promise<readonly GatePartition[]> {
  const relation = relationOf(spec, spec.quality.relation);
  const parquetUri = `s3://${refinedBucket}/${generationPrefix(output)}/${outputName(relation)}/parquet`;
  // With days, these two hold a file without rows, which gives the frame its columns.
  const whole = ['added', 'kept'].map((origin) => ({ origin, location: `${parquetUri}/origin=${origin}/` }));
  if (documents === undefined || !isRefreshedByDay(spec)) return whole;
  const { days = [] } = await readJobRelation(s3, documents.manifest, relation);
  const given = await requiredTransformInput(s3, documents.input);
  return [
    ...whole,
    ...days.flatMap(({ day, parquet }) => Object.entries(parquet).map(([origin, location]) => ({ origin: `${origin}-${day}`, location }))),
    ...(given.refresh?.kept ?? []).flatMap(({ day, relations }) =>
      // A dry run's declaration is named otherwise, and keeps no day.
      (relations[relation.name]?.parquet ?? []).map((location, n) => ({ origin: `unchanged-${day}-${n}`, location })),
    ),
  ];
}

/** Makes the rows visible to Glue. Idempotent by partition. @throws `JobRefused` */
export async function createGatePartitions(glue: GlueClient, database: string, spec: PipelineSpec, cycle: CycleRef, partitions: readonly GatePartition[]): Promise<void> {
  const run = qualityRunPartition(cycle);
  await createCatalogPartitions(glue, database, candidateCatalogTable(spec.dataset), partitions.map(({ origin, location }) => ({ values: [run, origin], location })));
}

/** The partitions that a step of the gate looks at. */
export function gatePredicate(cycle: CycleRef, step: 'added' | 'served', spec: PipelineSpec): string {
  const run = `run_id = '${qualityRunPartition(cycle)}'`;
  if (step === 'added') return isRefreshedByDay(spec) ? `${run} and origin like 'added%'` : `${run} and origin = 'added'`;
  return isRefreshedByDay(spec) ? run : `${run} and origin in ('added', 'kept')`;
}

/** Takes a generation's partitions out of the catalog. Idempotent by partition. */
export async function deleteGatePartitions(glue: GlueClient, database: string, spec: PipelineSpec, cycle: CycleRef): Promise<void> {
  const table = { DatabaseName: database, TableName: candidateCatalogTable(spec.dataset) };
  const origins = isRefreshedByDay(spec) ? await originsOf(glue, table, qualityRunPartition(cycle)) : ['added', 'kept'];
  for (let from = 0; from < origins.length; from += DELETIONS_AT_ONCE) {
    await Promise.all(
      origins.slice(from, from + DELETIONS_AT_ONCE).map((origin) =>
        glue.send(new DeletePartitionCommand({ ...table, PartitionValues: [qualityRunPartition(cycle), origin] })).catch((error: unknown) => {
          if (!(error instanceof EntityNotFoundException)) throw error; // gone already, or never made
        }),
      ),
    );
  }
}

async function originsOf(glue: GlueClient, table: { readonly DatabaseName: string; readonly TableName: string }, run: string): Promise<readonly string[]> {
  const origins: string[] = [];
  let NextToken: string | undefined;
  do {
    const page = await glue.send(new GetPartitionsCommand({ ...table, Expression: `run_id = '${run}'`, ExcludeColumnSchema: true, NextToken }));
    for (const { Values } of page.Partitions ?? []) {
      // Held against the value as well: a catalog that ignores the expression gives other generations' too.
      if (Values?.[0] === run && Values[1] !== undefined) origins.push(Values[1]);
    }
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  return origins;
}
