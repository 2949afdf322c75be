"""The writers on their own: sizes, boundaries, and documents with faults."""

from __future__ import annotations

import hashlib
import io
import os

import meridian_jobs.copy_parts as copy_parts
import meridian_jobs.parquet_file as parquet_file
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from meridian_jobs import JobError
from meridian_jobs.s3 import S3Location, list_uris, parse_uri, read_object
from meridian_jobs.session import partitions_for
from meridian_jobs.task import parse_task, read_task
from meridian_jobs.uploads import PART_BYTES, Upload, complete
from support.copy_rows import load
from support.lake import BUCKET, Lake
from support.postgres import Postgres

BATCH = pa.record_batch({"n": pa.array(range(10_000), pa.int64()), "t": pa.array(["é" * 50] * 10_000)})


def test_parts_are_cut_by_size_and_each_loads_alone(
    lake: Lake, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_parts, "PART_BYTES", 3_000_000)
    writer = copy_parts.CopyPartWriter(f"{lake.output_uri}r/copy/00000-a")
    for _ in range(7):
        writer.write(BATCH)
    writer.finish()
    writer.finish()

    assert [part.rows for part in writer.parts] == [30_000, 30_000, 10_000]
    for part in writer.parts:
        body = read_object(part.uri)
        assert (len(body), f'"{hashlib.md5(body).hexdigest()}"') == (part.size_bytes, part.etag)
    relation = {
        "columns": [{"name": "n", "type": "bigint"}, {"name": "t", "type": "text"}],
        "copyParts": [{"uri": part.uri, "rows": part.rows} for part in writer.parts],
    }
    table = load(postgres, relation)
    assert postgres.run(f"select count(*), sum(n), min(t) from {table}").decode().strip() == f"70000|{7 * 49_995_000}|{'é' * 50}"


def test_a_writer_without_rows_makes_no_part(lake: Lake) -> None:
    writer = copy_parts.CopyPartWriter(f"{lake.output_uri}r/copy/00000-a")
    writer.finish()
    assert writer.parts == []


def test_a_large_object_arrives_whole_and_only_once_it_is_completed(lake: Lake) -> None:
    body = os.urandom(2 * PART_BYTES + 12_345)
    uri = f"{lake.output_uri}large"
    upload = Upload(uri)
    for start in range(0, len(body), 1_000_003):
        upload.write(body[start : start + 1_000_003])
    pending = upload.finish()

    assert list(list_uris(uri)) == []
    assert (len(pending.part_etags), pending.size_bytes) == (3, len(body))
    complete(pending)
    assert read_object(uri) == body


def test_parquet_has_row_groups_of_a_useful_size(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "ROW_GROUP_BYTES", 3 * BATCH.nbytes)
    file = parquet_file.ParquetFile(f"{lake.output_uri}p.parquet", BATCH.schema)
    for _ in range(7):
        file.write(BATCH)
    pending = file.finish()
    complete(pending.object)

    metadata = pq.read_metadata(io.BytesIO(read_object(pending.object.uri)))
    assert pending.rows == metadata.num_rows == 70_000
    assert [metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)] == [30_000, 30_000, 10_000]


def test_partitions_follow_the_data_not_the_machine() -> None:
    assert [partitions_for(rows) for rows in (0, 140_000, 1_000_001, 1_000_000_000)] == [4, 4, 5, 4000]


def test_uris_are_taken_as_they_stand() -> None:
    assert parse_uri("s3://b/a b%2Fc=d//e?f#g") == S3Location("b", "a b%2Fc=d//e?f#g")
    for wrong in ("b/key", "s3://", "s3://b", "s3:///key", "https://b/key"):
        with pytest.raises(ValueError, match="expected s3://<bucket>/<key>"):
            parse_uri(wrong)


def test_every_fault_of_a_document_is_named_at_once(lake: Lake) -> None:
    document = lake.document(
        files=[{"uri": "http://elsewhere", "rowCount": True, "added": 1}, {"uri": "s3://b/k", "rowCount": 2, "added": True}],
        rowCount=7,
        outputUri=f"s3://{BUCKET}/out",
        references=None,
        cycle={},
    )

    with pytest.raises(JobError) as caught:
        parse_task(document, "s3://x/input.json")

    for fault in (
        "s3://x/input.json",
        'files[0].uri: "http://elsewhere" is no S3 URI',
        "files[0].rowCount: expected int, found true",
        "files[0].added: expected bool, found 1",
        "cycle.generation: expected int, found null",
        "references: expected dict, found null",
        'outputUri: expected a URI that ends in "/"',
        "rowCount: expected 2, the sum over files, found 7",
        "addedRowCount: expected 2, the sum over added files, found 0",
    ):
        assert fault in str(caught.value)


def test_a_document_that_is_missing_or_no_json_is_named(lake: Lake) -> None:
    from meridian_jobs.s3 import put_object

    missing = f"{lake.output_uri}input.json"
    with pytest.raises(JobError, match=f"{missing} cannot be read: .*NoSuchKey"):
        read_task(missing)
    put_object(missing, b"{")
    with pytest.raises(JobError, match=f"{missing} cannot be read: Expecting"):
        read_task(missing)


def test_a_file_listed_twice_is_refused(lake: Lake) -> None:
    lake.files = [{"uri": "s3://b/k", "rowCount": 1, "added": False}] * 2
    with pytest.raises(JobError, match="the same file is listed twice"):
        parse_task(lake.document(), "s3://x/input.json")
