"""A dedup run over real Spark and S3: what is stored, what is a duplicate, what goes to quarantine."""

from __future__ import annotations

import io
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from meridian_jobs.dedup import places, run
from meridian_jobs.dedup.groups import Group
from meridian_jobs.s3 import read_object, s3_client
from pyspark.sql import SparkSession
from support.lake import BUCKET
from support.raw_lake import DAY_MS, HOUR_MS, NOON_MS, RawLake, first_of_each


def _record(number: int, **changes: Any) -> dict[str, Any]:
    return {"timestamp": NOON_MS + number, "icao24": f"d{number}", "longitude": number / 7, "latitude": 1.5, **changes}


def _chunk(seed: int, objects: int = 7, records: int = 300) -> list[list[dict[str, Any]]]:
    """Records of three days, about half of them repeats, within an object and across them."""
    random = Random(seed)
    pool = [_record(number, timestamp=NOON_MS - random.randrange(2 * DAY_MS)) for number in range(objects * records // 2)]
    return [[dict(random.choice(pool), altitude=random.randrange(9)) for _ in range(records)] for _ in range(objects)]


def _put(lake: RawLake, chunk: list[list[dict[str, Any]]]) -> RawLake:
    for number, records in enumerate(chunk):
        lake.put_records(records, gzipped=number % 2 == 1)
    return lake


def test_of_equal_records_the_first_is_stored_wherever_the_others_are(spark: SparkSession, aws: str) -> None:
    chunk = _chunk(1)
    lake = _put(RawLake(), chunk)

    manifest = lake.run()

    expected = first_of_each(lake, chunk)
    assert lake.places() == expected
    for ordinal, counts in enumerate(manifest["objects"]):
        stored = sum(1 for each, _ in expected if each == ordinal)
        assert counts == {"read": 300, "stored": stored, "duplicates": 300 - stored, "quarantined": {}}
    assert manifest["attempt"] == lake.attempt
    assert manifest["quarantineFiles"] == []
    assert sum(file["rowCount"] for file in manifest["files"]) == len(expected)


def test_files_lie_by_day_and_name_what_is_in_them(spark: SparkSession, aws: str) -> None:
    lake = _put(RawLake(), _chunk(2))

    files = lake.run()["files"]

    assert [file["eventDate"] for file in files] == ["2018-07-30", "2018-07-31", "2018-08-01"]
    assert files == sorted(files, key=lambda file: file["key"])
    for file in files:
        assert file["key"] == f"{lake.prefix}/storage/positions/event_date={file['eventDate']}/{lake.attempt}-00000.parquet"
        body = read_object(f"s3://{BUCKET}/{file['key']}")
        table = pq.read_table(io.BytesIO(body))
        assert (len(body), table.num_rows) == (file["sizeBytes"], file["rowCount"])
        times = table.column("event_time").to_pylist()
        assert {time.date().isoformat() for time in times} == {file["eventDate"]}
        assert times == sorted(times)


def test_a_storage_file_has_the_columns_that_the_worker_writes(spark: SparkSession, aws: str) -> None:
    lake = RawLake()
    key = lake.put_records([_record(1, groundspeed=7, altitude="ground")], name="a b'c%2F\"d.jsonl")

    file = lake.run()["files"][0]

    table = pq.read_table(io.BytesIO(read_object(f"s3://{BUCKET}/{file['key']}")))
    assert [(field.name, field.type) for field in table.schema] == [
        ("event_time", pa.timestamp("us", "UTC")),
        ("device_id", pa.string()),
        ("longitude", pa.float64()),
        ("latitude", pa.float64()),
        ("speed", pa.float64()),
        ("altitude", pa.float64()),
        ("cycle_id", pa.string()),
        ("generation", pa.int32()),
        ("raw_object", pa.string()),
        ("raw_version", pa.string()),
        ("raw_line", pa.int64()),
    ]
    row = table.to_pylist()[0]
    assert row.pop("event_time").timestamp() * 1000 == NOON_MS + 1
    assert row == {
        "device_id": "d1",
        "longitude": 1 / 7,
        "latitude": 1.5,
        "speed": 7.0,
        "altitude": None,
        "cycle_id": "mobile-geolocation/20180802T000000Z",
        "generation": 2,
        "raw_object": key,
        "raw_version": lake.objects[0]["versionId"],
        "raw_line": 1,
    }


def test_what_earlier_chunks_stored_stays_the_first(spark: SparkSession, aws: str) -> None:
    before, now = _chunk(3), _chunk(4, objects=3)
    now[0][:50] = before[0][:50]
    now[2][100:200] = before[5][:100]
    first = _put(RawLake(), before)
    first.run()
    lake = _put(first.next(), now)

    manifest = lake.run()

    assert lake.places() == first_of_each(lake, now, seen=[record for records in before for record in records])
    assert sum(counts["duplicates"] for counts in manifest["objects"]) > 150


def test_a_chunk_of_duplicates_alone_stores_nothing(spark: SparkSession, aws: str) -> None:
    chunk = _chunk(5, objects=2, records=40)
    first = _put(RawLake(), chunk)
    first.run()
    lake = _put(first.next(), chunk)

    manifest = lake.run()

    assert manifest["files"] == []
    assert [counts["duplicates"] for counts in manifest["objects"]] == [40, 40]
    assert lake.left() == ["work/_manifest.json"]


def test_days_in_many_places_keep_the_same_rows(spark: SparkSession, aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, now = _chunk(6), _chunk(7)
    now[1][:80] = before[2][:80]
    first = _put(RawLake(), before)
    monkeypatch.setattr(places, "ROWS_PER_PLACE", 100)
    first.run()
    lake = _put(first.next(), now)

    manifest = lake.run()

    assert lake.places() == first_of_each(lake, now, seen=[record for records in before for record in records])
    names = [file["key"].rpartition("-")[2] for file in manifest["files"]]
    assert len(set(names)) > 5, "a day must have been cut, or this test proves nothing"
    for file in manifest["files"]:
        times = pq.read_table(io.BytesIO(read_object(f"s3://{BUCKET}/{file['key']}"))).column("event_time").to_pylist()
        assert times == sorted(times)


def test_rows_are_exchanged_once(spark: SparkSession, aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = _put(RawLake(), _chunk(9, objects=1, records=20))
    first.run()
    lake = _put(first.next(), _chunk(10, objects=1, records=20))
    plans: list[str] = []
    unseen_rows = run.unseen_rows

    def watched(*args: Any) -> Any:
        rows = unseen_rows(*args)
        plans.append(rows._jdf.queryExecution().executedPlan().toString())
        return rows

    monkeypatch.setattr(run, "unseen_rows", watched)
    lake.run()

    assert [plan.count("Exchange ") for plan in plans] == [1], plans[0]


def test_one_group_and_many_store_the_same(spark: SparkSession, aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = _chunk(8)
    chunk[3][7]["longitude"] = 200
    alone, together = _put(RawLake(), chunk), _put(RawLake(), chunk)
    monkeypatch.setattr("meridian_jobs.dedup.groups.GROUP_BYTES", 1)
    many = alone.run()
    monkeypatch.setattr("meridian_jobs.dedup.run.group_objects", _in_one_group)

    one = together.run()

    assert many["objects"] == one["objects"]
    assert alone.places() == together.places()
    assert [{**each, "object": ""} for each in alone.quarantine()] == [{**each, "object": ""} for each in together.quarantine()]
    assert one["quarantineFiles"][0].endswith("-00000.jsonl.gz")
    assert many["quarantineFiles"][0].endswith("-00003.jsonl.gz")


def _in_one_group(objects: Any, cores: int) -> Any:
    return [Group(0, tuple(objects))]


def test_quarantine_has_reason_detail_place_and_text_of_each_bad_record(spark: SparkSession, aws: str) -> None:
    lake = RawLake()
    good = '{"timestamp":%d,"longitude":1,"latitude":2}' % NOON_MS
    lines = [
        good,
        "not json",
        "",
        '{"timestamp":"x","longitude":1,"latitude":2}',
        '{"timestamp":%d,"longitude":NaN,"latitude":2}' % NOON_MS,
        '{"timestamp":%d,"latitude":2}' % NOON_MS,
        '{"timestamp":%d,"longitude":181,"latitude":2}' % NOON_MS,
        '{"timestamp":%d,"longitude":1,"latitude":2}' % (NOON_MS - 4 * DAY_MS),
        '{"timestamp":%d,"longitude":1,"latitude":2}' % (NOON_MS + 2 * DAY_MS),
        '{"timestamp":%d,"longitude":1,"latitude":3,"icao24":"a\\u0000b"}' % NOON_MS,
        "\x1f",
        '{"a":"%s"}' % ("x" * 1024**2),
    ]
    key = lake.put("\n".join(lines).encode())
    lake.put(b"\x1f\x8bno gzip at all", name="broken.gz")

    manifest = lake.run()

    assert lake.places() == [(0, 1)]
    found = lake.quarantine()
    assert all(list(row) == ["reason", "detail", "object", "version", "line", "raw"] for row in found)
    assert [(row["line"], row["reason"], row["detail"]) for row in found if row["object"] == key] == [
        (2, "bad_line", "not a JSON object"),
        (4, "bad_timestamp", 'event_time is "x"'),
        (5, "bad_coordinate", "longitude is NaN, latitude is 2"),
        (6, "null_coordinate", "longitude is missing, latitude is 2"),
        (7, "coordinate_out_of_range", "longitude is 181, latitude is 2"),
        (8, "too_late", f"event_time is {NOON_MS - 4 * DAY_MS}"),
        (9, "future", f"event_time is {NOON_MS + 2 * DAY_MS}"),
        (10, "bad_line", "a text with U+0000"),
        (11, "bad_line", "a control character"),
        (12, "bad_line", f"a line of {1024**2 + 8} bytes, at most {1024**2} are read"),
    ]
    assert [(row["line"], row["reason"]) for row in found if row["object"] != key] == [(0, "unreadable_object")]
    assert found[0]["raw"] == "not json"
    assert manifest["objects"] == [
        {
            "read": 11,
            "stored": 1,
            "duplicates": 0,
            "quarantined": {
                "bad_line": 4, "bad_timestamp": 1, "bad_coordinate": 1, "null_coordinate": 1, "coordinate_out_of_range": 1,
                "too_late": 1, "future": 1,
            },
        },
        {"read": 1, "stored": 0, "duplicates": 0, "quarantined": {"unreadable_object": 1}},
    ]  # fmt: skip


def test_a_chunk_of_bad_records_alone_stores_nothing(spark: SparkSession, aws: str) -> None:
    lake = RawLake()
    lake.put(b"no\njson\n")

    manifest = lake.run()

    assert manifest["objects"] == [{"read": 2, "stored": 0, "duplicates": 0, "quarantined": {"bad_line": 2}}]
    assert (manifest["files"], len(manifest["quarantineFiles"])) == ([], 1)


def test_a_chunk_without_objects_or_with_empty_ones_counts_nothing(spark: SparkSession, aws: str) -> None:
    nothing, empty = RawLake(), RawLake()
    empty.put(b"")
    empty.put_records([_record(1)])
    empty.put(b"", name="empty.gz")

    assert nothing.run() == {"attempt": nothing.attempt, "objects": [], "files": [], "quarantineFiles": []}
    assert [counts["read"] for counts in empty.run()["objects"]] == [0, 1, 0]
    assert empty.places() == [(1, 1)]


def test_a_version_is_read_even_when_the_object_was_overwritten(spark: SparkSession, aws: str) -> None:
    lake = RawLake()
    client = s3_client()
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    try:
        key = lake.put_records([_record(1)])
        client.put_object(Bucket=BUCKET, Key=key, Body=b"something else")

        lake.run()
    finally:
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})

    assert lake.objects[0]["versionId"] != "null"
    assert lake.places() == [(0, 1)]


def test_keys_of_every_type_tell_records_apart(spark: SparkSession, aws: str) -> None:
    base = {"timestamp": NOON_MS, "longitude": 1, "latitude": 2, "icao24": "a", "big": 2**62 + 1, "flag": True, "groundspeed": 0.0, "seen": 5}
    same = [base, {**base, "groundspeed": -0.0}, {**base, "altitude": 9}]
    others = [{**base, "icao24": None}, {**base, "icao24": "é\n"}, {**base, "big": 2**62}, {**base, "flag": None}, {**base, "flag": False}]
    others += [{**base, "seen": None}, {**base, "timestamp": NOON_MS + 1}]
    first = RawLake("everyType")
    first.put_records([*same, *others, *others])
    first.run()
    lake = first.next()
    lake.put_records([*others, {**base, "icao24": "new"}])

    lake.run()

    assert first.places() == [(0, 1), *((0, line) for line in range(4, 11))]
    assert lake.places() == [(0, 8)]
    row = first.stored().slice(0, 1).to_pylist()[0]
    assert (row["big"], row["flag"], row["seen_at"].timestamp()) == (2**62 + 1, True, 0.005)


def test_records_at_the_edge_of_a_day_lie_in_theirs(spark: SparkSession, aws: str) -> None:
    midnight = NOON_MS + 12 * HOUR_MS
    lake = RawLake()
    lake.put_records([_record(1, timestamp=midnight - 1), _record(2, timestamp=midnight)])

    assert [file["eventDate"] for file in lake.run()["files"]] == ["2018-08-01", "2018-08-02"]
