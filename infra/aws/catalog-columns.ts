import type { ColumnType, FieldType, RecordSpec, RelationSpec } from '../../domain/pipeline-spec';

/** A column of a Glue table. */
export interface CatalogColumn {
  readonly name: string;
  /** Hive's name of the type. */
  readonly type: string;
}

const FIELD_TO_HIVE: Readonly<Record<FieldType, string>> = {
  'timestamp-ms': 'timestamp',
  double: 'double',
  bigint: 'bigint',
  text: 'string',
  boolean: 'boolean',
};

const COLUMN_TO_HIVE: Readonly<Record<ColumnType, string>> = {
  timestamptz: 'timestamp',
  date: 'date',
  text: 'string',
  bigint: 'bigint',
  integer: 'int',
  'double precision': 'double',
  boolean: 'boolean',
  // Jobs write geometry as EWKB: Hive knows no such type.
  'geometry(Point,4326)': 'binary',
  'geometry(Geometry,4326)': 'binary',
};

/** Columns of the dataset's Parquet in storage: the declared fields, then the lineage that dedup adds (X5). */
export function storageColumns(record: RecordSpec): readonly CatalogColumn[] {
  return [
    ...record.fields.map(({ name, type }) => ({ name, type: FIELD_TO_HIVE[type] })),
    { name: 'cycle_id', type: 'string' },
    { name: 'generation', type: 'int' },
    { name: 'raw_object', type: 'string' },
    { name: 'raw_version', type: 'string' },
    { name: 'raw_line', type: 'bigint' },
  ];
}

/** Columns of a relation's Parquet, as its job writes it. */
export function relationColumns(relation: RelationSpec): readonly CatalogColumn[] {
  return relation.columns.map(({ name, type }) => ({ name, type: COLUMN_TO_HIVE[type] }));
}
