"""A Spark driver that is started before it has a job: Java runs, Spark's and Sedona's classes are loaded and have been used once.

Runs as a file of its own, with nothing of ours imported. It waits for one line on the socket that ``MERIDIAN_PASS_FD`` names, a
JSON document: ``script``, ``arguments``, ``conf`` (all of Spark's properties), ``environment``, ``libraries`` (for Python's path).
Then it becomes that job, which serves one run: Spark's session is the job's own, from its own properties. End of file ends it.
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

_REHEARSAL = Path("rehearsal")


def main() -> None:
    channel = socket.socket(fileno=int(os.environ.pop("MERIDIAN_PASS_FD")))
    sys.path.pop(0)  # this folder: a job finds none of our modules
    java = _started_java()
    _rehearse()
    line = channel.makefile("r", encoding="utf-8").readline()
    if not line:
        return
    # As spark-submit does for Python: one stream for both.
    os.dup2(1, 2)
    job = json.loads(line)
    _take_over(java, job)
    sys.argv = [job["script"], *job["arguments"]]
    runpy.run_path(job["script"], run_name="__main__")


def _started_java() -> Any:
    from pyspark import SparkContext

    SparkContext._ensure_initialized()
    return SparkContext._jvm


def _rehearse() -> None:
    """A small job in a session of its own, which ends before anybody's begins. It touches no S3: no file system of a job is open yet."""
    from pyspark.sql import SparkSession

    for most_jobs_import in ("boto3", "pyarrow"):
        importlib.import_module(most_jobs_import)
    spark = SparkSession.builder.getOrCreate()
    places = spark.sql("select id, cast(id % 3 as string) as name, ST_GeoHash(ST_Point(id * 1e-3, 1.0), 6) as cell from range(0, 300, 1, 2)")
    grouped = places.groupBy("name", "cell").count().orderBy("cell")
    grouped.mapInArrow(lambda batches: batches, grouped.schema).write.parquet(_REHEARSAL.absolute().as_uri())
    spark.read.parquet(_REHEARSAL.absolute().as_uri()).count()
    spark.stop()
    shutil.rmtree(_REHEARSAL)


def _take_over(java: Any, job: dict[str, Any]) -> None:
    """Spark takes its settings from Java's system properties, as spark-submit leaves them, when the job opens its session."""
    system = java.java.lang.System
    for name in system.getProperties().stringPropertyNames():
        if name.startswith("spark."):
            system.clearProperty(name)
    for name, value in job["conf"].items():
        system.setProperty(name, value)
    os.environ.update(job["environment"])
    sys.path[0:0] = [str(Path(job["script"]).parent), *job["libraries"]]


if __name__ == "__main__":
    main()
