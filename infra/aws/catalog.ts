import { Stack } from 'aws-cdk-lib';
import { CfnDataQualityRuleset, CfnDatabase, CfnTable } from 'aws-cdk-lib/aws-glue';
import { Construct } from 'constructs';
import type { PipelineSpec } from '../../domain/pipeline-spec';
import { QUALITY_STEPS, rulesetName, rulesetText } from '../../domain/ruleset';
import { type CatalogColumn, relationColumns, storageColumns } from './catalog-columns';
import type { CatalogProps } from './catalog-props';

/** The Glue database: per pipeline the stored records, the rows that wait for the gate, and the gate's rulesets (S2.10, S2.17). */
export class Catalog extends Construct {
  readonly databaseName: string;
  private readonly database: CfnDatabase;

  constructor(scope: Construct, id: string, { pipelines, buckets }: CatalogProps) {
    super(scope, id);
    const stack = Stack.of(this);
    this.databaseName = stack.stackName.toLowerCase(); // Glue keeps names in lower case
    this.database = new CfnDatabase(this, 'Database', {
      catalogId: stack.account,
      databaseInput: { name: this.databaseName, description: 'Meridian: stored records and candidates' },
    });
    for (const spec of pipelines) {
      this.table(`${spec.name}-storage`, {
        name: spec.dataset,
        description: spec.description,
        location: `s3://${buckets.storage.bucketName}/${spec.dataset}/`,
        columns: storageColumns(spec.record),
        partitionKeys: [{ name: 'event_date', type: 'date' }],
      });
      const candidate = this.candidateTable(spec, buckets.refined.bucketName);
      for (const step of QUALITY_STEPS) {
        const rules = spec.quality[step];
        const ruleset = new CfnDataQualityRuleset(this, `${spec.name}-${step}`, {
          name: rulesetName(spec.name, step, rules),
          ruleset: rulesetText(rules),
          targetTable: { databaseName: this.databaseName, tableName: `${spec.dataset}_candidate` },
        });
        ruleset.addResourceDependency(candidate);
      }
    }
  }

  /** Each generation is two partitions: the rows that it adds, and those that it would keep serving. */
  private candidateTable(spec: PipelineSpec, refinedBucket: string): CfnTable {
    const relation = spec.relations.find(({ name }) => name === spec.quality.relation);
    if (relation === undefined) {
      throw new Error(
        `Pipeline "${spec.name}" checks the relation "${spec.quality.relation}", which it does not declare: run "meridian pipelines check"`,
      );
    }
    return this.table(`${spec.name}-candidate`, {
      name: `${spec.dataset}_candidate`,
      description: `Rows of ${relation.view} that wait for the quality gate`,
      location: `s3://${refinedBucket}/`,
      columns: relationColumns(relation),
      partitionKeys: [
        { name: 'run_id', type: 'string' },
        { name: 'origin', type: 'string' },
      ],
    });
  }

  private table(id: string, table: ParquetTable): CfnTable {
    const made = new CfnTable(this, id, {
      catalogId: Stack.of(this).account,
      databaseName: this.databaseName,
      tableInput: {
        name: table.name,
        description: table.description,
        tableType: 'EXTERNAL_TABLE',
        parameters: { classification: 'parquet', EXTERNAL: 'TRUE' },
        partitionKeys: [...table.partitionKeys],
        storageDescriptor: {
          location: table.location,
          columns: [...table.columns],
          inputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat',
          outputFormat: 'org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat',
          serdeInfo: { serializationLibrary: 'org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe' },
        },
      },
    });
    made.addResourceDependency(this.database);
    return made;
  }
}

interface ParquetTable {
  readonly name: string;
  readonly description: string;
  readonly location: string;
  readonly columns: readonly CatalogColumn[];
  readonly partitionKeys: readonly CatalogColumn[];
}
