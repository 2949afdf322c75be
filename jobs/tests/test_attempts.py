"""What failed, repeated and abandoned attempts leave: nothing that a reader could take for output."""

from __future__ import annotations

from typing import Any, Iterator

import places
import pyarrow as pa
import pytest
from meridian_jobs import TransformJob, run
from meridian_jobs.s3 import put_object, read_object
from meridian_jobs.uploads import Upload
from pyspark import TaskContext
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from support.copy_rows import load, rows_in_parquet, rows_in_postgres
from support.lake import Lake
from support.postgres import Postgres
from test_places import SCHEMA, _main, _place

ROWS = 30_000  # several Arrow batches in each task
SCHEMA_IN = "event_time timestamp, id string, longitude double, latitude double, name string, cycle_id string, generation int, raw_object string, raw_version string, raw_line long"


def _break_attempt(attempts: int) -> Any:
    """A `mapInArrow` function whose first `attempts` attempts die, after their writers have been handed rows."""

    def pass_on(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for number, batch in enumerate(batches):
            context = TaskContext.get()
            if number > 0 and context is not None and context.attemptNumber() < attempts:
                raise RuntimeError("planted: this attempt dies")
            yield batch

    return pass_on


def _breaking(attempts: int) -> Any:
    def steps(job: TransformJob) -> None:
        records: DataFrame = job.read_records().drop("geom")
        records.mapInArrow(_break_attempt(attempts), SCHEMA_IN).createOrReplaceTempView("passed")
        query = places.PLACES.replace("geom", "ST_Point(longitude, latitude) as geom").replace("records", "passed")
        job.write_relation(job.sql(query), places.PLACES_RELATION)

    return steps


def _store(lake: Lake) -> None:
    lake.store([_place(number % 100, id=f"p{number}") for number in range(ROWS)], added=True, schema=SCHEMA)


def test_a_task_that_runs_again_doubles_nothing(spark: SparkSession, lake: Lake, postgres: Postgres) -> None:
    _store(lake)

    run(_breaking(attempts=1), ["places.py", lake.input_uri()])

    relation = lake.relation("places")
    assert relation["rows"] == lake.parquet("places").num_rows == ROWS
    table = load(postgres, relation)
    assert rows_in_postgres(postgres, relation, table) == rows_in_parquet(relation, lake.parquet("places"))
    assert lake.pending_uploads() == []


def test_a_job_that_dies_half_way_leaves_no_manifest_and_no_parquet__S0_13(spark: SparkSession, lake: Lake) -> None:
    _store(lake)

    with pytest.raises(PySparkException, match="planted: this attempt dies"):
        run(_breaking(attempts=9), ["places.py", lake.input_uri()])

    assert [uri for uri in lake.outputs() if "/parquet/" in uri or uri.endswith("_manifest.json")] == []
    assert lake.pending_uploads() == []


def test_a_job_that_dies_after_its_relation_leaves_no_manifest__S0_13(spark: SparkSession, lake: Lake) -> None:
    lake.store([_place(1)], added=True, schema=SCHEMA)

    def steps(job: TransformJob) -> None:
        places.places(job)
        raise RuntimeError("planted: the driver dies")

    with pytest.raises(RuntimeError, match="planted"):
        run(steps, ["places.py", lake.input_uri()])

    assert lake.outputs() != []
    assert f"{lake.output_uri}_manifest.json" not in lake.outputs()


def test_the_next_attempt_clears_what_a_dead_one_left(spark: SparkSession, lake: Lake) -> None:
    lake.store([_place(1)], added=True, schema=SCHEMA)
    leftover = f"{lake.output_uri}places/parquet/origin=added/00000-dead.parquet"
    put_object(leftover, b"half a file")
    Upload(f"{lake.output_uri}places/parquet/origin=added/00001-dead.parquet").write(b"never finished")
    assert len(lake.pending_uploads()) == 1

    _main(lake)

    assert leftover not in lake.outputs()
    assert lake.parquet("places").num_rows == 1
    assert lake.pending_uploads() == []


def test_a_job_whose_manifest_is_there_changes_nothing__X1(spark: SparkSession, lake: Lake) -> None:
    lake.store([_place(1)], added=True, schema=SCHEMA)
    _main(lake)
    before = {uri: read_object(uri) for uri in lake.outputs()}

    _main(lake)

    assert {uri: read_object(uri) for uri in lake.outputs()} == before


def test_a_late_twin_cannot_replace_the_manifest(spark: SparkSession, lake: Lake) -> None:
    lake.store([_place(1)], added=True, schema=SCHEMA)

    def overtaken(job: TransformJob) -> None:
        places.places(job)
        put_object(job.task.manifest_uri, b"the first one's")

    with pytest.raises(Exception, match="PreconditionFailed"):
        run(overtaken, ["places.py", lake.input_uri()])
    assert read_object(f"{lake.output_uri}_manifest.json") == b"the first one's"


def test_with_only_kept_rows_the_added_place_is_empty_but_readable(spark: SparkSession, lake: Lake) -> None:
    lake.store([_place(1), _place(2)], added=False, schema=SCHEMA)

    _main(lake)

    assert (lake.relation("places")["rows"], lake.relation("places")["addedRows"]) == (2, 0)
    uris = [uri for uri in lake.outputs() if "origin=added" in uri]
    assert len(uris) == 1
    assert spark.read.parquet(uris[0].rsplit("/", 1)[0]).schema == spark.read.parquet(
        f"{lake.output_uri}places/parquet/origin=kept"
    ).schema  # fmt: skip
