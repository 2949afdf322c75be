"""The Spark session of a job: Sedona's functions, UTC, and as many partitions as the data asks for."""

from __future__ import annotations

import math

from pyspark.sql import SparkSession

ROWS_PER_PARTITION = 250_000
"""Some 50 MB of COPY parts from one task: large enough to amortise it, small enough to repeat it."""

MIN_PARTITIONS = 4  # so that small data still loads through parallel connections


def open_session(name: str, row_count: int) -> SparkSession:
    spark = SparkSession.builder.appName(name).getOrCreate()
    # Sedona's own Python package would do just this, after a second of imports that a job does not need.
    spark._jvm.org.apache.sedona.spark.SedonaContext.create(spark._jsparkSession, "python")
    spark.conf.set("spark.sql.session.timeZone", "UTC")
    spark.conf.set("spark.sql.shuffle.partitions", partitions_for(row_count))
    return spark


def partitions_for(row_count: int) -> int:
    return max(MIN_PARTITIONS, math.ceil(row_count / ROWS_PER_PARTITION))
