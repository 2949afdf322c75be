"""The Spark session of a job: UTC, as many partitions as the data asks for, and Sedona's functions for those that want them."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import Iterator

from pyspark.sql import SparkSession

ROWS_PER_PARTITION = 250_000
"""Some 50 MB of COPY parts from one task: large enough to amortise it, small enough to repeat it."""

MIN_PARTITIONS = 4  # so that small data still loads through parallel connections


@contextmanager
def spark_session(name: str, partitions: int, sedona: bool) -> Iterator[SparkSession]:
    """A session for a `with` block; stopped at its end, unless it was there before."""
    is_own = SparkSession.getActiveSession() is None
    spark = SparkSession.builder.appName(name).getOrCreate()
    try:
        if sedona:
            # Sedona's own Python package would do just this, after a second of imports that a job does not need.
            spark._jvm.org.apache.sedona.spark.SedonaContext.create(spark._jsparkSession, "python")
        spark.conf.set("spark.sql.session.timeZone", "UTC")
        spark.conf.set("spark.sql.shuffle.partitions", partitions)
        yield spark
    finally:
        if is_own:
            spark.stop()


def partitions_for(row_count: int) -> int:
    return max(MIN_PARTITIONS, math.ceil(row_count / ROWS_PER_PARTITION))
