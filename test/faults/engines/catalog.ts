import { CreateTableCommand, type GlueClient } from '@aws-sdk/client-glue';
import type { PipelineSpec } from '../../../domain/pipeline-spec';
import { type CatalogColumn, relationColumns, storageColumns } from '../../../infra/aws/catalog-columns';
import type { WorkerConfig } from '../../../worker/config';

type Names = Pick<WorkerConfig, 'glueDatabase' | 'buckets'>;

/** The two Glue tables that the template declares for each pipeline of `pipelines/`, for one that only the harness knows. */
export async function declareTables(glue: GlueClient, names: Names, spec: PipelineSpec): Promise<void> {
  const gated = spec.relations.find((relation) => relation.name === spec.quality.relation);
  if (gated === undefined) throw new Error(`${spec.name} gates no relation of its own`);
  await createTable(glue, names, spec.dataset, storageColumns(spec.record), `s3://${names.buckets.storage}/${spec.dataset}/`, ['event_date']);
  await createTable(glue, names, `${spec.dataset}_candidate`, relationColumns(gated), `s3://${names.buckets.refined}/`, ['run_id', 'origin']);
}

async function createTable(glue: GlueClient, names: Names, name: string, columns: readonly CatalogColumn[], location: string, keys: readonly string[]) {
  await glue.send(
    new CreateTableCommand({
      DatabaseName: names.glueDatabase,
      TableInput: {
        Name: name,
        TableType: 'EXTERNAL_TABLE',
        Parameters: { classification: 'parquet' },
        PartitionKeys: keys.map((key) => ({ Name: key, Type: key === 'event_date' ? 'date' : 'string' })),
        StorageDescriptor: {
          Location: location,
          Columns: columns.map((column) => ({ Name: column.name, Type: column.type })),
          InputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat',
          OutputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat',
          SerdeInfo: { SerializationLibrary: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe' },
        },
      },
    }),
  );
}
