"""Of all judged rows those that nobody has stored before, and of equal ones the first."""

from __future__ import annotations

import math
from typing import Mapping, Sequence

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as f

from .days import date_of
from .judge import JUDGED_COLUMNS
from .seen import SEEN_COLUMNS, SeenReader
from .task import FIELD_TYPES, DedupTask, SeenFile

ROWS_PER_FILE = 1_000_000
"""Of a day's records, seen ones among them: what a task sorts, and a storage file holds at most, give or take."""

SEEN_BYTES_PER_TASK = 128 * 1024 * 1024
MIN_PARTITIONS = 4
_SEEN_FILE = "uri string, event_date string, row_count bigint, size_bytes bigint"


def unseen_rows(spark: SparkSession, task: DedupTask, judged_uris: Sequence[str], sound_by_day: Mapping[int, int]) -> DataFrame:
    """Rows to be stored: `_position`, `_day`, `_range` and the declared fields; of one day and range by event time, then position.

    @param sound_by_day - rows of each day in the judged files
    """
    seen_files = [file for day in sorted(sound_by_day) for file in task.seen.get(date_of(day), ())]
    seen_by_day = {day: sum(file.row_count for file in task.seen.get(date_of(day), ())) for day in sound_by_day}
    ranges = {day: math.ceil((sound + seen_by_day[day]) / ROWS_PER_FILE) for day, sound in sound_by_day.items()}
    rows = _judged(spark, task, judged_uris, ranges)
    if seen_files:
        # Before every record of this chunk: what is seen stays the first.
        seen = _seen(spark, task, seen_files, ranges).withColumn("_position", f.lit(-1).cast("bigint"))
        rows = rows.unionByName(seen, allowMissingColumns=True)
    first = Window.partitionBy("_day", "_range", "_fingerprint").orderBy("_position")
    return (
        rows.repartition(max(MIN_PARTITIONS, sum(ranges.values())), "_day", "_range")
        .withColumn("_rank", f.row_number().over(first))
        .where("_rank = 1 and _position >= 0")
        .drop("_rank", "_fingerprint")
        .sortWithinPartitions("_day", "_range", task.event_time, "_position")
    )


def _judged(spark: SparkSession, task: DedupTask, uris: Sequence[str], ranges: Mapping[int, int]) -> DataFrame:
    columns = {**JUDGED_COLUMNS, **{field.name: FIELD_TYPES[field.type] for field in task.fields}}
    schema = ", ".join(f"`{name}` {type}" for name, type in columns.items())
    # Literally these files: a `*` or `{` in a key is no pattern.
    rows = spark.read.option("__globPaths__", "false").schema(schema).parquet(*uris)
    ranges_of_day = f.create_map(*[f.lit(each) for pair in ranges.items() for each in pair])
    scaled = f.shiftright(f.col("_top") * ranges_of_day[f.col("_day")], 32)
    return rows.withColumn("_range", scaled.cast("int")).drop("_top")


def _seen(spark: SparkSession, task: DedupTask, files: Sequence[SeenFile], ranges: Mapping[int, int]) -> DataFrame:
    total = sum(file.size_bytes for file in files)
    tasks = min(len(files), max(spark.sparkContext.defaultParallelism, math.ceil(total / SEEN_BYTES_PER_TASK)))
    rows = spark.sparkContext.parallelize([tuple(vars(file)[name.split()[0]] for name in _SEEN_FILE.split(", ")) for file in files], tasks)
    reader = SeenReader(task.sql.fingerprint, dict(ranges))
    return spark.createDataFrame(rows, _SEEN_FILE).mapInArrow(reader, SEEN_COLUMNS)
