"""The records of storage: exactly the files that the input document lists, never what else lies there."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import StructField, StructType, TimestampNTZType, TimestampType

from .errors import JobError
from .quarantine import fault_sql
from .task import TransformTask

LINEAGE = ("cycle_id", "generation", "raw_object", "raw_version", "raw_line")


@dataclass(frozen=True)
class InputCounts:
    """Rows that were read; `added` are this cycle's, `faulty` have no valid place."""

    rows: int
    added: int
    faulty: int
    faulty_added: int


def read_storage(spark: SparkSession, task: TransformTask, longitude: str, latitude: str) -> DataFrame:
    """Storage's columns, and `fault`: what is wrong with a row's place, null when nothing is."""
    if not task.files:
        raise JobError(f"Cycle {task.cycle_id} lists no storage files: there is nothing to transform")
    # Literally these files: a `*` or `{` in a key is no pattern.
    reader = spark.read.option("__globPaths__", "false")
    # A field that the pipeline got later is in the newest files only; older rows have null there.
    newest = next((file.uri for file in reversed(task.files) if file.added), task.files[-1].uri)
    schema = StructType([_in_utc(field) for field in reader.parquet(newest).schema.fields])
    missing = [name for name in (longitude, latitude, *LINEAGE) if name not in schema.names]
    if missing:
        raise JobError(f"Storage file {newest} lacks column(s) {', '.join(missing)}: it has {', '.join(schema.names)}")
    storage = reader.schema(schema).parquet(*(file.uri for file in task.files))
    return storage.withColumn("fault", f.expr(fault_sql(longitude, latitude)))


def with_points(storage: DataFrame, longitude: str, latitude: str) -> DataFrame:
    """The rows without a fault, with `geom`."""
    point = f.expr(f"ST_SetSRID(ST_Point(`{longitude}`, `{latitude}`), 4326)")
    return storage.where("fault is null").drop("fault").withColumn("geom", point)


def count_input(storage: DataFrame, task: TransformTask) -> InputCounts:
    """Counts what is there, by the few columns that it takes. @raises JobError when that is not what the document lists"""
    added = (f.col("cycle_id") == task.cycle_id) & (f.col("generation") == task.generation)
    counted = storage.agg(
        f.count("*").alias("rows"),
        f.count_if(added).alias("added"),
        f.count("fault").alias("faulty"),
        f.count_if(added & f.col("fault").isNotNull()).alias("faulty_added"),
    ).collect()[0]
    found = InputCounts(**counted.asDict())
    if (found.rows, found.added) != (task.row_count, task.added_row_count):
        raise JobError(
            f"Storage is not what the input document of cycle {task.cycle_id}, generation {task.generation} lists: expected "
            f"{task.row_count} rows in {len(task.files)} files, {task.added_row_count} of them added; found {found.rows}, "
            f"{found.added} of them added"
        )
    return found


def _in_utc(field: StructField) -> StructField:
    # Written without a zone, storage's timestamps are UTC all the same.
    return StructField(field.name, TimestampType(), True) if isinstance(field.dataType, TimestampNTZType) else field
