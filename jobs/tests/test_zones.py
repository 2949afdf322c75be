"""Where areas overlap, touch or repeat: which zone a position gets, and which ones count it."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import positions
import pytest
import shapely
from pyspark.sql import SparkSession
from shapely.geometry import MultiPolygon, Polygon, box
from support.copy_rows import load, rows_in_parquet, rows_in_postgres
from support.lake import Lake
from support.postgres import Postgres

AREAS = [
    ("large", box(0, 0, 10, 10)),
    ("small", box(4, 4, 6, 6)),
    ("twin b", box(20, 0, 22, 2)),
    ("twin a", box(20, 0, 22, 2)),
    ("islands", MultiPolygon([box(30, 0, 31, 1), box(33, 0, 34, 1)])),
    ("layers", box(40, 0, 42, 2)),
    ("layers", box(40, 0, 44, 4)),
    ("bow tie", Polygon([(50, 0), (52, 2), (52, 0), (50, 2)])),
    ("pierced", Polygon([(60, 0), (70, 0), (70, 10), (60, 10)], [[(64, 4), (66, 4), (66, 6), (64, 6)]])),
]
POINTS = {
    "in both": (5.0, 5.0),
    "in large only": (1.0, 1.0),
    "on the small one's border": (4.0, 5.0),
    "in twins": (21.0, 1.0),
    "on an island": (33.5, 0.5),
    "between islands": (32.0, 0.5),
    "in both layers": (41.0, 1.0),
    "in a bow tie": (50.2, 1.0),
    "in the hole": (65.0, 5.0),
    "nowhere": (-120.0, -60.0),
}
ZONES = {
    "in both": "small",
    "in large only": "large",
    "on the small one's border": "small",
    "in twins": "twin a",
    "on an island": "islands",
    "between islands": None,
    "in both layers": "layers",
    "in a bow tie": "bow tie",
    "in the hole": None,
    "nowhere": None,
}
HOUR = datetime(1969, 12, 31, 23, 59, 59, 999999, timezone.utc)  # before both epochs, Unix' and PostgreSQL's


@pytest.fixture(scope="module")
def run(spark: SparkSession) -> Lake:
    lake = Lake()
    lake.store(
        [
            {"event_time": HOUR, "device_id": name, "longitude": longitude, "latitude": latitude, "speed": None}
            for name, (longitude, latitude) in POINTS.items()
        ],
        added=True,
    )
    lake.refer("airspaces", AREAS)
    lake.refer("countries", AREAS[:1])
    positions.main(["positions.py", lake.input_uri()])
    return lake


def _activity(run: Lake) -> dict[str, dict[str, Any]]:
    return {row["zone"]: row for row in run.parquet("zone_activity").to_pylist()}


def test_a_position_keeps_the_smallest_zone_equal_ones_by_name_and_none_where_there_is_none(run: Lake) -> None:
    assert {row["device_id"]: row["zone"] for row in run.parquet("positions").to_pylist()} == ZONES


def test_every_zone_that_holds_a_position_counts_it_once(run: Lake) -> None:
    assert {zone: row["records"] for zone, row in _activity(run).items()} == {
        "large": 3,
        "small": 2,
        "twin a": 1,
        "twin b": 1,
        "islands": 1,
        "layers": 1,
        "bow tie": 1,
    }


def test_the_extent_of_one_place_is_a_point_and_of_a_row_of_places_a_line(run: Lake) -> None:
    extents = {zone: shapely.from_wkb(row["extent"]) for zone, row in _activity(run).items()}
    assert extents["islands"].equals(shapely.Point(33.5, 0.5))
    assert extents["small"].bounds == (4, 5, 5, 5)
    assert extents["large"].equals(box(1, 1, 5, 5))


def test_hours_are_utc_and_a_mean_without_values_is_null(run: Lake) -> None:
    assert {row["hour"] for row in _activity(run).values()} == {datetime(1969, 12, 31, 23, tzinfo=timezone.utc)}
    assert {row["mean_speed"] for row in _activity(run).values()} == {None}


@pytest.mark.parametrize("name", ["positions", "zone_activity"])
def test_old_times_nulls_and_every_shape_arrive_in_postgis(run: Lake, postgres: Postgres, name: str) -> None:
    relation = run.relation(name)
    table = load(postgres, relation)
    assert rows_in_postgres(postgres, relation, table) == rows_in_parquet(relation, run.parquet(name))


def test_without_anything_added_both_places_can_be_read(run: Lake) -> None:
    assert run.relation("positions")["addedRows"] == len(POINTS)
    assert run.parquet("positions", "origin=kept/").num_rows == 0
    assert run.parquet("positions", "origin=kept/").schema == run.parquet("positions", "origin=added/").schema


def test_the_same_input_gives_the_same_bytes(run: Lake, spark: SparkSession) -> None:
    again = Lake(prefix=f"{run.prefix}-again", files=run.files, references=run.references)

    positions.main(["positions.py", again.input_uri()])

    assert _content(again) == _content(run)


def _content(lake: Lake) -> list[tuple[str, str]]:
    """COPY parts are put whole: an ETag is the MD5 of the bytes."""
    return sorted((each["name"], part["etag"]) for each in lake.manifest()["relations"] for part in each["copyParts"])
