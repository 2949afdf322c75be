import { BatchCreatePartitionCommand, type GlueClient } from '@aws-sdk/client-glue';
import { ApplicationFailure } from '@temporalio/common';
import { FailureType } from '../domain/failure-type';

/** A partition of a catalog table over Parquet files. */
export interface CatalogPartition {
  /** Of the table's partition columns, in their order. */
  readonly values: readonly string[];
  /** `s3://bucket/prefix/` */
  readonly location: string;
}

const PARTITIONS_PER_CALL = 100; // BatchCreatePartition's limit
/** Refusals that a message quotes. */
const MOST_QUOTED = 10;

/** Adds partitions to a table of the catalog; one that is there stays as it is. Idempotent by partition. @throws `JobRefused` */
export async function createCatalogPartitions(glue: GlueClient, database: string, table: string, partitions: readonly CatalogPartition[]): Promise<void> {
  for (let from = 0; from < partitions.length; from += PARTITIONS_PER_CALL) {
    const { Errors } = await glue.send(
      new BatchCreatePartitionCommand({
        DatabaseName: database,
        TableName: table,
        PartitionInputList: partitions.slice(from, from + PARTITIONS_PER_CALL).map(({ values, location }) => ({
          Values: [...values],
          StorageDescriptor: {
            Location: location,
            InputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat',
            OutputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat',
            SerdeInfo: { SerializationLibrary: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe' },
          },
        })),
      }),
    );
    const refused = (Errors ?? []).filter((error) => error.ErrorDetail?.ErrorCode !== 'AlreadyExistsException');
    if (refused.length > 0) {
      throw ApplicationFailure.create({
        message: `Glue refused ${refused.length} partition(s) of ${database}.${table}: ${JSON.stringify(refused.slice(0, MOST_QUOTED))}`,
        type: FailureType.JobRefused,
      });
    }
  }
}
