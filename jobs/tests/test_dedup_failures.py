"""What failed, repeated and overtaken dedup runs leave: nothing that a reader could take for storage."""

from __future__ import annotations

from typing import Any

import pytest
from meridian_jobs import JobError
from meridian_jobs.dedup import database, run
from meridian_jobs.dedup.judge import Judge
from meridian_jobs.s3 import delete_objects, put_object, read_object, s3_client
from meridian_jobs.uploads import Upload
from pyspark import TaskContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from support.lake import BUCKET
from support.raw_lake import RawLake
from test_dedup import _chunk, _put, _record


def _attempt_number() -> int:
    context = TaskContext.get()
    assert context is not None
    return context.attemptNumber()


class _DyingOnce(Judge):
    """A judge whose first attempt dies after its uploads."""

    def _judge(self, *args: Any) -> Any:
        report = super()._judge(*args)
        if _attempt_number() == 0:
            raise RuntimeError("planted: this attempt dies")
        return report


def test_a_task_that_runs_again_doubles_nothing(spark: SparkSession, aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = _chunk(20, objects=3)
    lake, whole = _put(RawLake(), chunk), _put(RawLake(), chunk)
    monkeypatch.setattr(run, "Judge", _DyingOnce)
    monkeypatch.setattr(_DyingOnce, "of", staticmethod(lambda task: _DyingOnce(**vars(Judge.of(task)))))

    found = lake.run()
    monkeypatch.undo()

    assert found["objects"] == whole.run()["objects"]
    assert lake.places() == whole.places()


def test_an_object_that_is_gone_ends_the_run_by_name(spark: SparkSession, aws: str) -> None:
    lake = _put(RawLake(), _chunk(21, objects=3))
    gone = lake.objects[1]["key"]
    delete_objects([f"s3://{BUCKET}/{gone}"])

    with pytest.raises(JobError, match=rf"Object 1, s3://{BUCKET}/{gone}, version .* is gone \((NoSuchKey|NoSuchVersion|MethodNotAllowed)\).*Start the cycle again"):
        lake.run()

    assert (lake.left(), lake.pending_uploads()) == ([], [])


def test_an_object_that_is_another_one_now_ends_the_run_by_name(spark: SparkSession, aws: str) -> None:
    changed, longer = RawLake(), RawLake()
    key = changed.put_records([_record(1)])
    s3_client().put_object(Bucket=BUCKET, Key=key, Body=b"something else")
    longer.put_records([_record(1)])
    longer.objects[0]["sizeBytes"] += 1

    with pytest.raises(JobError, match=r"Object 0, .* is gone \((PreconditionFailed|412)\)"):
        changed.run()
    with pytest.raises(JobError, match=r"Object 0, .* expected \d+ bytes, found \d+"):
        longer.run()


def test_a_seen_file_that_is_not_the_ledgers_ends_the_run_and_leaves_nothing(spark: SparkSession, aws: str) -> None:
    first = RawLake()
    first.put_records([_record(1)])
    first.run()
    lake = first.next()
    lake.put_records([_record(1), _record(2)])
    lake.put(b"no json")
    lake.seen["2018-08-01"][0]["rowCount"] = 2

    with pytest.raises(PySparkException, match="is not what the ledger says: expected 2 rows, found 1"):
        lake.run()

    assert (lake.left(), lake.pending_uploads()) == ([], [])


def test_a_storage_file_that_cannot_be_read_back_ends_the_run_and_leaves_nothing(
    spark: SparkSession, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = _put(RawLake(), _chunk(22, objects=2))
    complete = run.complete

    def damaging(pending: Any) -> None:
        complete(pending)
        if "/storage/" in pending.uri:
            put_object(pending.uri, b"x" * pending.size_bytes)

    monkeypatch.setattr(run, "complete", damaging)

    with pytest.raises(JobError, match=r"Storage file s3://.*\.parquet was written, but is no readable Parquet"):
        lake.run()

    assert (lake.left(), lake.pending_uploads()) == ([], [])


def test_a_run_whose_manifest_is_there_changes_nothing(spark: SparkSession, aws: str) -> None:
    lake = _put(RawLake(), _chunk(23, objects=2))
    lake.run()
    before = {key: read_object(f"s3://{BUCKET}/{lake.prefix}/{key}") for key in lake.left()}

    lake.run()

    assert {key: read_object(f"s3://{BUCKET}/{lake.prefix}/{key}") for key in lake.left()} == before
    assert not any("judged/" in key for key in before)


def test_the_next_attempt_clears_what_a_dead_one_left_and_nothing_of_others(spark: SparkSession, aws: str) -> None:
    lake = _put(RawLake(), _chunk(24, objects=2))
    document = lake.document()
    stem = f"{document['storageUri']}event_date=2018-08-01/"
    own = [f"{stem}{lake.attempt}-00007.parquet", f"{document['workUri']}judged/00009.parquet", f"{document['quarantineUri']}00009.jsonl.gz"]
    other = f"{stem}{'0' * 16}-00000.parquet"
    for uri in [*own, other]:
        put_object(uri, b"half a file")
    Upload(own[0]).write(b"never finished")
    Upload(other).write(b"somebody else's, not finished yet")

    lake.run()

    left = {f"s3://{BUCKET}/{lake.prefix}/{key}" for key in lake.left()}
    assert not left & set(own)
    assert other in left
    assert [f"s3://{BUCKET}/{upload['Key']}" for upload in lake.pending_uploads()] == [other]


def test_a_late_twin_cannot_replace_the_manifest_nor_take_its_files_away(
    spark: SparkSession, aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = _put(RawLake(), _chunk(25, objects=2))
    put_manifest = run.put_manifest

    def overtaken(uri: str, manifest: dict[str, Any]) -> None:
        put_manifest(uri, manifest)
        put_manifest(uri, manifest)

    monkeypatch.setattr(run, "put_manifest", overtaken)

    with pytest.raises(Exception, match="PreconditionFailed"):
        lake.run()

    assert lake.stored().num_rows == sum(counts["stored"] for counts in lake.manifest()["objects"])


def test_another_duckdb_than_the_workers_judges_nothing(aws: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WORKER_DUCKDB", "1.0.0")

    with pytest.raises(JobError, match=r"DuckDB 1.0.0 is expected, as the worker has it; found .*: build the image anew"):
        with database.open_database(tmp_path):
            pass
