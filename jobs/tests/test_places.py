"""The small job, and through it what every job has from the library: inputs as listed, odd keys, quarantine, one outcome."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import places
import pyarrow as pa
import pytest
from meridian_jobs import JobError, Relation, TransformJob, outputs, run
from meridian_jobs.s3 import list_uris, put_object
from pyspark.sql import SparkSession
from support.copy_rows import load, rows_in_parquet, rows_in_postgres
from support.lake import BUCKET, LINEAGE, Lake, parquet_bytes
from support.postgres import Postgres

NOON = datetime(2018, 8, 1, 12, tzinfo=timezone.utc)
FIELDS = [
    ("event_time", pa.timestamp("us", "UTC")),
    ("id", pa.string()),
    ("longitude", pa.float64()),
    ("latitude", pa.float64()),
    ("name", pa.string()),
]
SCHEMA = pa.schema(FIELDS + LINEAGE)
ODD_KEY = "places/2018/a b+c%2F=d/--conf\n{x}*?.jsonl.gz"


def _place(number: int, **changes: Any) -> dict[str, Any]:
    return {"event_time": NOON, "id": f"p{number}", "longitude": number / 7, "latitude": 1.5, "name": f"Place {number}", **changes}


def _main(lake: Lake, **changes: Any) -> None:
    run(places.places, ["places.py", lake.input_uri(**changes)])


def test_a_second_pipelines_job_needs_only_its_sql__X15(spark: SparkSession, lake: Lake, postgres: Postgres) -> None:
    lake.store([_place(1), _place(2)], added=False, schema=SCHEMA)
    lake.store([_place(3)], added=True, schema=SCHEMA)

    _main(lake)

    relation = lake.relation("places")
    assert (relation["rows"], relation["addedRows"]) == (3, 1)
    table = load(postgres, relation)
    assert rows_in_postgres(postgres, relation, table) == rows_in_parquet(relation, lake.parquet("places"))
    at = f"select ST_X(geom) = 3::double precision / 7 and ST_Y(geom) = 1.5 from {table} where id = 'p3'"
    assert postgres.run(at).strip() == b"t"


def test_keys_with_spaces_escapes_and_patterns_are_data(spark: SparkSession, lake: Lake) -> None:
    lake.prefix += "/odd %2F+=[a]{b}"
    lake.store([_place(1, raw_object=ODD_KEY)], added=True, schema=SCHEMA, name="x y%20z=*?{1,2}")
    # What a pattern or a decoded key would find too.
    put_object(f"s3://{BUCKET}/{lake.prefix}/storage/positions/event_date=2018-08-01/x y z=*?{{1,2}}.parquet", b"other")

    _main(lake)

    assert lake.parquet("places").column("raw_object").to_pylist() == [ODD_KEY]


def test_reads_the_files_of_the_document_and_no_neighbours(spark: SparkSession, lake: Lake) -> None:
    listed = lake.store([_place(1)], added=True, schema=SCHEMA)
    leftover = [{**_place(9), "cycle_id": lake.cycle_id, "generation": 1, "raw_object": "r", "raw_version": "v", "raw_line": 1}]
    put_object(listed.replace(".parquet", "-late.parquet"), parquet_bytes(pa.Table.from_pylist(leftover, SCHEMA)))

    _main(lake)

    assert lake.parquet("places").column("id").to_pylist() == ["p1"]


def test_a_field_that_came_later_is_null_in_older_files(spark: SparkSession, lake: Lake) -> None:
    lake.store([_place(2)], added=True, schema=SCHEMA)
    older = pa.schema([field for field in SCHEMA if field.name != "name"])
    lake.store([{key: value for key, value in _place(1).items() if key != "name"}], added=False, schema=older)

    _main(lake)

    assert sorted(lake.parquet("places").select(["id", "name"]).to_pylist(), key=lambda row: row["id"]) == [
        {"id": "p1", "name": None},
        {"id": "p2", "name": "Place 2"},
    ]


def test_text_that_postgresql_cannot_hold_does_not_cost_its_neighbours(
    spark: SparkSession, lake: Lake, postgres: Postgres
) -> None:
    lake.store([_place(1, name="nul\0here"), _place(2, name="tab\t|quote'\u00e9\U0001f600")], added=True, schema=SCHEMA)

    _main(lake)

    relation = lake.relation("places")
    table = load(postgres, relation)
    assert rows_in_postgres(postgres, relation, table) == rows_in_parquet(relation, lake.parquet("places"))
    assert "nul\ufffdhere" in lake.parquet("places").column("name").to_pylist()


def test_records_without_a_valid_place_go_to_quarantine_with_reason_object_and_line__S0_14_X6(
    spark: SparkSession, lake: Lake
) -> None:
    nan, infinite = float("nan"), float("inf")
    faulty = {
        "a coordinate is null": [{"longitude": None}, {"latitude": None}],
        "a coordinate is not a number": [{"longitude": nan}, {"latitude": nan}],
        "outside longitude ±180, latitude ±90": [{"latitude": 90.1}, {"longitude": -infinite}, {"latitude": infinite}],
    }
    changes = [change for each in faulty.values() for change in each]
    valid = [_place(0, longitude=180.0, latitude=-90.0), _place(1, longitude=0.0, latitude=-0.0)]
    lake.store([*valid, *(_place(9, **change) for change in changes)], added=True, schema=SCHEMA)
    lake.store([_place(10, longitude=None)], added=False, schema=SCHEMA)

    _main(lake)

    found = lake.quarantine()
    assert lake.manifest()["inputRows"] == 10
    assert lake.manifest()["quarantined"] == {"invalid_geometry": 8}
    assert (lake.relation("places")["rows"], lake.relation("places")["addedRows"]) == (2, 2)
    assert sorted(line["detail"] for line in found) == sorted(
        ["a coordinate is null", *(reason for reason, each in faulty.items() for _ in each)]
    )
    assert {line["reason"] for line in found} == {"invalid_geometry"}
    assert sorted((line["object"], line["line"]) for line in found) == [*(("raw/0.jsonl.gz", n) for n in range(3, 10)), ("raw/1.jsonl.gz", 1)]
    null = next(line for line in found if line["object"] == "raw/1.jsonl.gz")
    assert json.loads(null["raw"]) == {
        "event_time": "2018-08-01T12:00:00.000Z", "id": "p10", "longitude": None, "latitude": 1.5, "name": "Place 10",
    }  # fmt: skip
    assert all(uri.startswith(lake.quarantine_uri) for uri in lake.manifest()["quarantineFiles"])


def test_storage_that_is_not_as_listed_ends_the_job_by_name__X6(spark: SparkSession, lake: Lake) -> None:
    lake.store([_place(1), _place(2)], added=True, schema=SCHEMA)
    lake.files[0]["rowCount"] = 3

    with pytest.raises(JobError, match=r"expected 3 rows in 1 files, 3 of them added; found 2, 2 of them added"):
        _main(lake)

    assert lake.outputs() == []


def test_rows_of_another_generation_are_not_added_ones__X6(spark: SparkSession, lake: Lake) -> None:
    lake.store([_place(1, generation=2)], added=True, schema=SCHEMA)

    with pytest.raises(JobError, match=r"1 of them added; found 1, 0 of them added"):
        _main(lake)


def test_a_join_that_loses_or_doubles_rows_ends_the_job__S0_13_X6(spark: SparkSession, lake: Lake) -> None:
    lake.store([_place(1), _place(2)], added=True, schema=SCHEMA)

    def doubling(job: TransformJob) -> None:
        job.read_records()
        job.write_relation(job.sql(f"{places.PLACES} cross join (select explode(array(1, 2)))"), places.PLACES_RELATION)

    with pytest.raises(JobError, match=r'Expected 2 rows of "places" from what was read, but 4 were written'):
        run(doubling, ["places.py", lake.input_uri()])
    assert f"{lake.output_uri}_manifest.json" not in lake.outputs()


def test_columns_that_do_not_fit_the_declaration_are_all_named__S0_16(spark: SparkSession, lake: Lake) -> None:
    lake.store([_place(1)], added=True, schema=SCHEMA)

    def writing(columns: dict[str, str], query: str) -> None:
        def steps(job: TransformJob) -> None:
            job.read_records()
            job.write_relation(job.sql(query), Relation("places", columns))

        run(steps, ["places.py", lake.input_uri()])

    with pytest.raises(JobError, match=r"lacks column\(s\) a, b: its query gives id"):
        writing({"id": "text", "a": "text", "b": "text"}, "select id from records")
    with pytest.raises(JobError, match=r"id: declared bigint \(bigint\), found string; n: declared bigint \(bigint\), found int"):
        writing({"id": "bigint", "n": "bigint"}, "select id, 1 as n from records")
    with pytest.raises(JobError, match="geometry column that is no geometry"):
        writing({"geom": "geometry(Point,4326)"}, "select id as geom from records")
    with pytest.raises(JobError, match=r"types that cannot be written: id numeric"):
        writing({"id": "numeric"}, "select id from records")


def test_a_reference_that_is_missing_or_something_else_is_named(spark: SparkSession, lake: Lake) -> None:
    lake.store([_place(1)], added=True, schema=SCHEMA)
    lake.references["storage"] = lake.files[0]["uri"]
    lake.refer("nothing", [])

    def reading(name: str) -> None:
        run(lambda job: job.read_reference(name), ["places.py", lake.input_uri()])  # type: ignore[arg-type, return-value]

    with pytest.raises(JobError, match='no reference "towns", only storage, nothing'):
        reading("towns")
    with pytest.raises(JobError, match="lacks column.s. geometry: it has event_time"):
        reading("storage")
    with pytest.raises(JobError, match="has no rows"):
        reading("nothing")


def test_nothing_to_read_is_said(spark: SparkSession, lake: Lake) -> None:
    with pytest.raises(JobError, match="lists no storage files"):
        _main(lake)
    with pytest.raises(JobError, match="Expected one argument"):
        run(places.places, ["places.py"])


def test_quarantine_of_an_earlier_attempt_is_cleared(spark: SparkSession, lake: Lake) -> None:
    lake.store([_place(1), _place(2, longitude=None)], added=True, schema=SCHEMA)
    put_object(f"{lake.quarantine_uri}00000-earlier-0.jsonl.gz", b"left by an attempt that died")

    _main(lake)

    assert sorted(list_uris(lake.quarantine_uri)) == lake.manifest()["quarantineFiles"]


def test_a_relation_that_is_refreshed_by_day_stands_apart_by_day_and_origin(spark: SparkSession, lake: Lake, postgres: Postgres) -> None:
    late = datetime(2018, 8, 2, 23, 59, 59, 999999, tzinfo=timezone.utc)
    midnight = datetime(2018, 8, 3, tzinfo=timezone.utc)
    lake.store([_place(1), _place(2, event_time=late)], added=False, schema=SCHEMA)
    lake.store([_place(3, event_time=midnight), _place(4)], added=True, schema=SCHEMA)
    days = [{"day": day} for day in ("2018-08-01", "2018-08-02", "2018-08-03")]

    _main(lake, refresh={"columns": {"places": "event_time"}, "rebuilt": days})

    relation = lake.relation("places")
    below = f"{lake.output_uri}places/parquet/event_date="
    assert relation["days"] == [
        {"day": "2018-08-01", "rows": 2, "parquet": {"added": f"{below}2018-08-01/origin=added/", "kept": f"{below}2018-08-01/origin=kept/"}},
        {"day": "2018-08-02", "rows": 1, "parquet": {"kept": f"{below}2018-08-02/origin=kept/"}},
        {"day": "2018-08-03", "rows": 1, "parquet": {"added": f"{below}2018-08-03/origin=added/"}},
    ]
    assert (relation["rows"], relation["addedRows"]) == (4, 2)
    assert lake.parquet("places", "event_date=2018-08-02/").column("id").to_pylist() == ["p2"]
    # What the gate's frame takes its columns from, below which no day lies.
    assert (lake.parquet("places", "origin=added/").num_rows, lake.parquet("places", "origin=kept/").num_rows) == (0, 0)
    table = load(postgres, relation)
    assert rows_in_postgres(postgres, relation, table) == rows_in_parquet(relation, lake.parquet("places"))


def test_many_days_are_not_a_file_of_each_in_every_task(spark: SparkSession, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "MOST_FILES", 8)
    at = [datetime(2018, 8, day, hour, tzinfo=timezone.utc) for day in range(1, 11) for hour in range(24)]
    for start in range(0, 240, 30):
        lake.store([_place(n, event_time=at[(n * 7) % 240]) for n in range(start, start + 30)], added=True, schema=SCHEMA)
    days = [{"day": f"2018-08-{day:02d}"} for day in range(1, 11)]

    _main(lake, refresh={"columns": {"places": "event_time"}, "rebuilt": days})

    assert [each["rows"] for each in lake.relation("places")["days"]] == [24] * 10
    assert len([uri for uri in lake.outputs() if "/event_date=" in uri]) <= 10 + 4


def test_a_row_without_a_day_fails_the_job(spark: SparkSession, lake: Lake) -> None:
    lake.store([_place(1), _place(2, event_time=None)], added=True, schema=SCHEMA)

    with pytest.raises(Exception, match="1 rows without a day: the column of refreshBy must not be null"):
        _main(lake, refresh={"columns": {"places": "event_time"}, "rebuilt": [{"day": "2018-08-01"}]})

    assert lake.pending_uploads() == []
