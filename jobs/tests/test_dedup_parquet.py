"""Raw objects of Parquet: a row is judged as the JSON line of the same values."""

from __future__ import annotations

import io
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from meridian_jobs.dedup.limits import Line, RawLimits
from meridian_jobs.dedup.line_file import LineFile
from meridian_jobs.dedup.parquet_rows import parquet_rows
from meridian_jobs.dedup.task import Field
from pyspark.sql import SparkSession
from support.raw_lake import NOON_MS, RawLake
from test_dedup import _chunk

ROWS = {
    "timestamp": pa.int64(),
    "icao24": pa.string(),
    "longitude": pa.float64(),
    "latitude": pa.float64(),
    "groundspeed": pa.float32(),
    "altitude": pa.int32(),
    "big": pa.int64(),
    "flag": pa.bool_(),
    "seen": pa.timestamp("ms"),
}
LIMITS = RawLimits(1024**2, 4 * 1024**3)


def _parquet(rows: list[dict[str, Any]], schema: pa.Schema) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema), sink)
    return sink.getvalue()


def test_rows_come_to_the_same_as_lines_of_the_same_values(spark: SparkSession, aws: str) -> None:
    extra = [
        {"longitude": None, "altitude": 3},
        {"longitude": 200.0},
        {"timestamp": -5},
        {"icao24": "a\0b"},
        {"icao24": 'quo"te \u2028 \\', "big": 2**63 - 1, "flag": False, "groundspeed": 0.5, "seen": 1234},
        {"timestamp": NOON_MS - 10**9},
    ]
    chunk = _chunk(30, objects=2, records=200)
    chunk[0] += [{"timestamp": NOON_MS, "longitude": 1.25, "latitude": 2.5, **changes} for changes in extra]
    lines, rows = RawLake("everyType"), RawLake("everyType", "parquet")
    for number, records in enumerate(chunk):
        lines.put_records(records, name=f"{number}.jsonl")
        moments = [{**each, "seen": datetime.fromtimestamp(each["seen"] / 1000, timezone.utc)} if "seen" in each else each for each in records]
        rows.put(_parquet(moments, pa.schema(list(ROWS.items()))), name=f"{number}.parquet")

    by_lines, by_rows = lines.run(), rows.run()

    assert by_rows["objects"] == by_lines["objects"]
    assert rows.places() == lines.places()
    lineage = ["raw_object", "raw_version"]
    assert rows.stored().drop_columns(lineage).equals(lines.stored().drop_columns(lineage))
    assert _reasons(rows) == _reasons(lines)
    assert len(_reasons(rows)) == 5


def _reasons(lake: RawLake) -> list[tuple[Any, ...]]:
    return [(row["line"], row["reason"], row["detail"]) for row in lake.quarantine()]


def test_an_object_that_is_no_parquet_is_one_record_in_quarantine(spark: SparkSession, aws: str) -> None:
    lake = RawLake(format="parquet")
    lake.put(b"hello hello hello")
    lake.put(_parquet([{"timestamp": NOON_MS, "longitude": 1.0, "latitude": 2.0}], pa.schema(list(ROWS.items()))))

    manifest = lake.run()

    assert [counts["quarantined"] for counts in manifest["objects"]] == [{"unreadable_object": 1}, {}]
    assert lake.places() == [(1, 1)]
    assert [(row["line"], row["reason"], row["detail"], row["raw"]) for row in lake.quarantine()] == [
        (0, "unreadable_object", "no readable Parquet: Invalid Input Error: No magic bytes found at end of file 'the object'", "")
    ]


def _lines(tmp_path: Any, table: pa.Table, fields: list[Field], limits: RawLimits = LIMITS) -> list[Line]:
    path = tmp_path / "year=2018 it's.parquet"
    pq.write_table(table, path)
    return [line for block in parquet_rows(path, fields, limits, tmp_path) for line in block]


def test_a_row_is_the_json_of_its_declared_columns_that_are_there(tmp_path: Any) -> None:
    table = pa.table(
        {
            "t": pa.array([1_500, None], pa.timestamp("us")),
            "ns": pa.array([1, 2_000_000], pa.timestamp("ns")),
            "raw": pa.array([b"ok", b"\xff"], pa.binary()),
            'it\'s "x"': ["a", "b"],
            "other": [1, 2],
        }
    )
    fields = [
        Field("t", "t", "timestamp-ms"),
        Field("ns", "ns", "timestamp-ms"),
        Field("raw", "raw", "text"),
        Field("x", 'it\'s "x"', "text"),
        Field("again", "raw", "text"),
        Field("missing", "year", "bigint"),
    ]

    assert [(line.number, line.text.decode(), line.fault and line.fault.detail) for line in _lines(tmp_path, table, fields)] == [
        (1, '{"t":1.5,"ns":0.000001,"raw":"ok","it\'s \\"x\\"":"a"}', None),
        (2, '{"t":null,"ns":2,"raw":"\\\\xFF","it\'s \\"x\\"":"b"}', "not UTF-8"),
    ]


def test_a_row_that_is_too_long_is_cut_and_a_file_that_inflates_is_a_bomb(tmp_path: Any) -> None:
    table = pa.table({"x": ["y" * 3000] * 3})
    fields = [Field("x", "x", "text")]

    first, *_ = _lines(tmp_path, table, fields, RawLimits(1000, 10_000))
    assert (len(first.text), first.fault and first.fault.detail) == (2048, "a line of 3008 bytes, at most 1000 are read")
    path = tmp_path / "bomb.parquet"
    pq.write_table(table, path)
    lines = LineFile(tmp_path / "lines")
    assert lines.add(4, parquet_rows(path, fields, RawLimits(1000, 5000), tmp_path)) == 1
    lines.close()
    assert (tmp_path / "lines").read_bytes() == b"4\x1f0\x1funreadable_object\x1finflates beyond 5000 bytes\x1f\n"
