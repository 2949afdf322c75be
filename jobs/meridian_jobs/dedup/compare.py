"""Of all judged rows those that nobody has stored before, and of equal ones the first."""

from __future__ import annotations

import math
from typing import Mapping, Sequence

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as f

from .days import date_of
from .judge import JUDGED_COLUMNS
from .places import Places
from .seen import SEEN_COLUMNS, SeenReader
from .task import FIELD_TYPES, DedupTask, SeenFile

SEEN_BYTES_PER_TASK = 128 * 1024 * 1024
MIN_PARTITIONS = 4
_DAY_MICROSECONDS = 86_400_000_000
_BITS_OF_A_DAY = 37  # hold its microseconds
_SEEN_FILE = "uri string, event_date string, row_count bigint, size_bytes bigint"


def places_of(task: DedupTask, sound_by_day: Mapping[int, int]) -> Places:
    """@param sound_by_day - judged rows to be compared, by their day since 1970; days without any take part in nothing"""
    return Places({day: sound + sum(file.row_count for file in task.seen.get(date_of(day), ())) for day, sound in sound_by_day.items()})


def unseen_rows(spark: SparkSession, task: DedupTask, judged_uris: Sequence[str], places: Places) -> DataFrame:
    """Rows to be stored: `_position`, `_place` and the declared fields; place by place, in each by event time, then position."""
    seen_files = [file for day in places.first_by_day for file in task.seen.get(date_of(day), ())]
    rows = _judged(spark, task, judged_uris, places)
    if seen_files:
        # Before every record of this chunk: what is seen stays the first.
        seen = _seen(spark, task, seen_files, places).withColumn("_position", f.lit(-1).cast("bigint"))
        rows = rows.unionByName(seen, allowMissingColumns=True)
    # Spark sorts by the first eight bytes of the first column, and compares whole rows only where these are equal.
    first = Window.partitionBy("_fingerprint", "_place").orderBy("_position")
    time_of_place = f.expr(f"shiftleft(cast(_place as bigint), {_BITS_OF_A_DAY}) + unix_micros(`{task.event_time}`) % {_DAY_MICROSECONDS}")
    return (
        rows.repartition(max(MIN_PARTITIONS, len(places)), "_place")
        .withColumn("_rank", f.row_number().over(first))
        .where("_rank = 1 and _position >= 0")
        .drop("_rank", "_fingerprint")
        .sortWithinPartitions(time_of_place, "_position")
    )


def _judged(spark: SparkSession, task: DedupTask, uris: Sequence[str], places: Places) -> DataFrame:
    columns = {**JUDGED_COLUMNS, **{field.name: FIELD_TYPES[field.type] for field in task.fields}}
    schema = ", ".join(f"`{name}` {type}" for name, type in columns.items())
    # Literally these files: a `*` or `{` in a key is no pattern.
    rows = spark.read.option("__globPaths__", "false").schema(schema).parquet(*uris)
    day = f.col("_day")
    scaled = f.shiftright(f.col("_top") * _literal(places.count_by_day)[day], 32)
    return rows.withColumn("_place", (_literal(places.first_by_day)[day] + scaled).cast("int")).drop("_top", "_day")


def _literal(by_day: Mapping[int, int]) -> Column:
    return f.create_map(*[f.lit(each) for pair in by_day.items() for each in pair])


def _seen(spark: SparkSession, task: DedupTask, files: Sequence[SeenFile], places: Places) -> DataFrame:
    total = sum(file.size_bytes for file in files)
    tasks = min(len(files), max(spark.sparkContext.defaultParallelism, math.ceil(total / SEEN_BYTES_PER_TASK)))
    rows = spark.sparkContext.parallelize([(file.uri, file.event_date, file.row_count, file.size_bytes) for file in files], tasks)
    return spark.createDataFrame(rows, _SEEN_FILE).mapInArrow(SeenReader(task.sql.fingerprint, places), SEEN_COLUMNS)
