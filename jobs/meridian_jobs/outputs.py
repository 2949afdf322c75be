"""Writes a relation and proves it: the manifest counts what successful tasks wrote, nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as f
from pyspark.sql.pandas.types import to_arrow_schema

from .columns import select_declared
from .errors import JobError
from .parquet_file import ParquetFile
from .relation_sink import ADDED, ORIGIN_ADDED, ORIGIN_KEPT, RelationSink
from .s3 import in_parallel
from .task import TransformTask
from .uploads import PendingObject, complete


@dataclass(frozen=True)
class Relation:
    """A relation as the pipeline declares it: `columns` by name, in order, with PostgreSQL types.

    @param per_record - one row a record: then `cycle_id` and `generation` tell which rows this cycle added
    @param order_by - order of the rows within a file and a part: what is read together lies together
    """

    name: str
    columns: Mapping[str, str]
    per_record: bool = False
    order_by: Sequence[str] = field(default=())


def write_relation(df: DataFrame, relation: Relation, task: TransformTask) -> dict[str, Any]:
    """@returns `JobRelation` of domain/documents.ts"""
    relation_uri = f"{task.output_uri}{relation.name}/"
    rows = select_declared(df, relation.columns, relation.name)
    schema = to_arrow_schema(rows.schema)
    if relation.order_by:
        rows = rows.sortWithinPartitions(*relation.order_by)
    if relation.per_record:
        rows = rows.withColumn(ADDED, _is_added(relation, task))
    sink = RelationSink(relation_uri, relation.per_record)
    reports = [json.loads(row.report) for row in rows.mapInArrow(sink, "report string").collect()]

    # Readers of the catalog infer the columns from a file: there is one in each place, even with no rows.
    origins = (ORIGIN_ADDED, ORIGIN_KEPT) if relation.per_record else ("",)
    for origin in origins:
        if not any(origin in report["parquet"] for report in reports):
            empty = ParquetFile(f"{relation_uri}parquet/{origin}empty.parquet", schema)
            complete(empty.finish().object)
    in_parallel(
        lambda pending: complete(PendingObject(**pending["object"])),
        [pending for report in reports for pending in report["parquet"].values()],
    )
    parts = [part for report in reports for part in report["copy"]]
    rows_by_origin = {
        origin: sum(report["parquet"][origin]["rows"] for report in reports if origin in report["parquet"])
        for origin in origins
    }
    return {
        "name": relation.name,
        "columns": [{"name": name, "type": declared} for name, declared in relation.columns.items()],
        "rows": sum(rows_by_origin.values()),
        **({"addedRows": rows_by_origin[ORIGIN_ADDED]} if relation.per_record else {}),
        "parquetUri": f"{relation_uri}parquet/",
        "copyParts": [
            {"uri": part["uri"], "etag": part["etag"], "rows": part["rows"], "sizeBytes": part["size_bytes"]}
            for part in parts
        ],
    }


def _is_added(relation: Relation, task: TransformTask) -> Any:
    lacking = [name for name in ("cycle_id", "generation") if name not in relation.columns]
    if lacking:
        raise JobError(f'Relation "{relation.name}" has one row a record, but lacks lineage column(s) {", ".join(lacking)}')
    added = (f.col("cycle_id") == task.cycle_id) & (f.col("generation") == task.generation)
    return f.coalesce(added, f.lit(False))
