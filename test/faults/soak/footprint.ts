import { readFileSync } from 'node:fs';
import { QueryCommand } from '@aws-sdk/client-dynamodb';
import { GetPartitionsCommand } from '@aws-sdk/client-glue';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import type { Lab } from '../lab';

/** What a pipeline takes up between two nights, apart from its records. */
export interface Footprint {
  readonly tables: number;
  /** Attempts in the ledger that announced files and neither committed nor cleared them. */
  readonly attempts: number;
  readonly openJobs: number;
  readonly heldTurns: number;
  readonly openCycles: number;
  readonly gatePartitions: number;
  /** Resident memory of the present worker. */
  readonly workerMiB: number;
}

export async function measure({ access, workers }: Lab, spec: PipelineSpec): Promise<Footprint> {
  const { pool, dynamodb, glue, names } = access;
  const count = async (query: string, ...values: readonly string[]) => Number((await pool.query<{ n: string }>(query, [...values])).rows[0]?.n ?? 0);
  const attempts = await dynamodb.send(
    new QueryCommand({
      TableName: names.ledgerTable,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': { S: `${spec.dataset}#attempts` } },
      Select: 'COUNT',
    }),
  );
  const partitions = await glue.send(new GetPartitionsCommand({ DatabaseName: names.glueDatabase, TableName: `${spec.dataset}_candidate` }));
  return {
    tables: await count("select count(*) as n from pg_tables where schemaname = 'public' and tablename like $1", `${spec.dataset}\\_%`),
    attempts: attempts.Count ?? 0,
    openJobs: await count(
      "select count(*) as n from meridian.job where pipeline = $1 and upper(state) not in ('SUCCESS', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'STOPPED', 'TIMEOUT', 'NEVER_STARTED')",
      spec.name,
    ),
    heldTurns: await count('select count(*) as n from meridian.turn where dataset = $1 and holder_run_id is not null', spec.dataset),
    openCycles: await count('select count(*) as n from meridian.cycle where pipeline = $1 and closed_at is null', spec.name),
    gatePartitions: partitions.Partitions?.length ?? 0,
    workerMiB: Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${workers.pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024,
  };
}
