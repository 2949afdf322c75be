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
from .relation_sink import ADDED, DAY, ORIGIN_ADDED, ORIGIN_KEPT, RelationSink, folder
from .s3 import in_parallel
from .session import MIN_PARTITIONS
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
    by = task.refresh_by.get(relation.name)
    if by is not None:
        rows = _day_by_day(rows, by, relation, task)
    if by is not None or relation.order_by:
        rows = rows.sortWithinPartitions(*([] if by is None else [DAY]), *relation.order_by)
    if relation.per_record:
        rows = rows.withColumn(ADDED, _is_added(relation, task))
    sink = RelationSink(relation_uri, relation.per_record, by is not None)
    reports = [json.loads(row.report) for row in rows.mapInArrow(sink, "report string").collect()]
    written = [file for report in reports for file in report["parquet"]]

    # Readers of the catalog infer the columns from a file: there is one in each place, even with no rows.
    origins = (ORIGIN_ADDED, ORIGIN_KEPT) if relation.per_record else ("",)
    for origin in origins:
        if not any((file["day"], file["origin"]) == (None, origin) for file in written):
            empty = ParquetFile(f"{relation_uri}parquet/{origin}empty.parquet", schema)
            complete(empty.finish().object)
    in_parallel(lambda pending: complete(PendingObject(**pending["object"])), written)
    parts = [part for report in reports for part in report["copy"]]
    return {
        "name": relation.name,
        "columns": [{"name": name, "type": declared} for name, declared in relation.columns.items()],
        "rows": sum(file["rows"] for file in written),
        **({"addedRows": sum(file["rows"] for file in written if file["origin"] == ORIGIN_ADDED)} if relation.per_record else {}),
        **({} if by is None else {"days": _days(written, f"{relation_uri}parquet/")}),
        "parquetUri": f"{relation_uri}parquet/",
        "copyParts": [
            {"uri": part["uri"], "etag": part["etag"], "rows": part["rows"], "sizeBytes": part["size_bytes"]}
            for part in parts
        ],
    }


def _day_by_day(rows: DataFrame, by: str, relation: Relation, task: TransformTask) -> DataFrame:
    """With the day of each row. Where every task would write a file of every day, neighbouring days go to one task."""
    if by not in relation.columns:
        raise JobError(f'Relation "{relation.name}" is refreshed by "{by}", which is none of its columns: {", ".join(relation.columns)}')
    partitions = int(rows.sparkSession.conf.get("spark.sql.shuffle.partitions") or MIN_PARTITIONS)
    if partitions * task.days > MOST_FILES:
        rows = rows.repartitionByRange(partitions, by)
    return rows.withColumn(DAY, f.to_date(by))  # the session's zone is UTC


def _days(written: list[dict[str, Any]], parquet_uri: str) -> list[dict[str, Any]]:
    """`JobDay` of domain/documents.ts, in order."""
    return [
        {
            "day": day,
            "rows": sum(file["rows"] for file in written if file["day"] == day),
            "parquet": {
                _ORIGINS[origin]: f"{parquet_uri}{folder(day, origin)}"
                for origin in sorted({file["origin"] for file in written if file["day"] == day})
            },
        }
        for day in sorted({file["day"] for file in written})
    ]


_ORIGINS = {ORIGIN_ADDED: "added", ORIGIN_KEPT: "kept", "": "all"}
MOST_FILES = 256  # of a relation: beyond that another exchange costs less than the requests


def _is_added(relation: Relation, task: TransformTask) -> Any:
    lacking = [name for name in ("cycle_id", "generation") if name not in relation.columns]
    if lacking:
        raise JobError(f'Relation "{relation.name}" has one row a record, but lacks lineage column(s) {", ".join(lacking)}')
    added = (f.col("cycle_id") == task.cycle_id) & (f.col("generation") == task.generation)
    return f.coalesce(added, f.lit(False))
