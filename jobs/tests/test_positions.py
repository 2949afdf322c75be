"""The positions job over real positions, against shapely and against what PostgreSQL made of the COPY parts."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timezone
from typing import Any

import positions
import pytest
import shapely
from meridian_jobs.job import TransformJob
from meridian_jobs.session import partitions_for, spark_session
from meridian_jobs.task import parse_task
from pyspark.sql import SparkSession
from shapely.geometry.base import BaseGeometry
from support import samples
from support.copy_rows import load, rows_in_parquet, rows_in_postgres
from support.geohash import geohash
from support.lake import Lake
from support.postgres import Postgres

EVERY = 12  # of 139,098 positions: enough to meet every zone and hour


def _row(record: dict[str, Any]) -> dict[str, Any]:
    return {
        "event_time": datetime.fromtimestamp(record["timestamp"] / 1000, timezone.utc),
        "device_id": record["icao24"],
        "longitude": record["longitude"],
        "latitude": record["latitude"],
        "speed": record["groundspeed"],
        "altitude": record["altitude"],
    }


@pytest.fixture(scope="module")
def run(spark: SparkSession) -> Lake:
    """One run: two thirds kept from an earlier cycle, one third added; positions of which some lie in two zones."""
    rows = [_row(record) for record in [*samples.switzerland()[::EVERY], *samples.savan()[::EVERY]]]
    rows = [row for row in rows if row["longitude"] is not None and row["latitude"] is not None]
    lake = Lake()
    third = len(rows) // 3
    lake.store(rows[:third], added=False)
    lake.store(rows[third : 2 * third], added=True)
    lake.store(rows[2 * third :], added=False)
    lake.refer("airspaces", samples.airspaces())
    lake.refer("countries", samples.countries())
    positions.main(["positions.py", lake.input_uri()])
    return lake


@pytest.fixture(scope="module")
def served(run: Lake) -> list[dict[str, Any]]:
    return run.parquet("positions").to_pylist()


def _areas_of(points: list[Any], areas: list[tuple[str, BaseGeometry]]) -> list[list[str]]:
    """Names of all areas of each point, the smallest first."""
    tree = shapely.STRtree([area for _, area in areas])
    found: list[list[tuple[float, str]]] = [[] for _ in points]
    for point, area in zip(*tree.query(points, predicate="intersects")):
        found[point].append((areas[area][1].area, areas[area][0]))
    return [list(dict.fromkeys(name for _, name in sorted(each))) for each in found]


def test_counts_every_row_once_and_splits_what_this_cycle_added__X6_S2_2(run: Lake) -> None:
    relation = run.relation("positions")

    assert run.manifest()["inputRows"] == sum(file["rowCount"] for file in run.files)
    assert run.manifest()["quarantined"] == {}
    assert relation["rows"] == run.manifest()["inputRows"] == run.parquet("positions").num_rows
    assert relation["addedRows"] == run.files[1]["rowCount"]
    assert run.parquet("positions", "origin=added/").num_rows == run.files[1]["rowCount"]
    assert set(run.parquet("positions", "origin=added/").column("cycle_id").to_pylist()) == {run.cycle_id}
    assert run.cycle_id not in run.parquet("positions", "origin=kept/").column("cycle_id").to_pylist()
    assert sum(part["rows"] for part in relation["copyParts"]) == relation["rows"]
    assert 2 <= len(relation["copyParts"]) <= 4


def test_gives_each_position_its_smallest_zone_and_its_country_as_shapely_does__S0_3(served: list[dict[str, Any]]) -> None:
    points = shapely.points([[row["longitude"], row["latitude"]] for row in served])
    zones = _areas_of(list(points), samples.airspaces())
    countries = _areas_of(list(points), samples.countries())

    assert [row["zone"] for row in served] == [each[0] if each else None for each in zones]
    assert [row["country"] for row in served] == [each[0] if each else None for each in countries]
    assert len({row["zone"] for row in served}) > 7
    assert any(len(each) > 1 for each in zones), "the sample must have positions in two zones"


def test_cells_are_geohashes_and_points_are_where_the_record_was__S0_3_S0_14(served: list[dict[str, Any]]) -> None:
    assert [row["cell"] for row in served] == [geohash(row["longitude"], row["latitude"], 7) for row in served]
    points = shapely.from_wkb([row["geom"] for row in served])
    assert set(shapely.get_srid(points)) == {4326}
    assert shapely.get_coordinates(points).tolist() == [[row["longitude"], row["latitude"]] for row in served]


def test_activity_counts_a_position_in_every_zone_that_contains_it__S0_3(run: Lake, served: list[dict[str, Any]]) -> None:
    points = shapely.points([[row["longitude"], row["latitude"]] for row in served])
    groups: dict[tuple[str, datetime], list[dict[str, Any]]] = defaultdict(list)
    for row, zones in zip(served, _areas_of(list(points), samples.airspaces())):
        for zone in zones:
            groups[zone, row["event_time"].replace(minute=0, second=0, microsecond=0)].append(row)

    activity = run.parquet("zone_activity").to_pylist()

    assert len(activity) == len(groups) == run.relation("zone_activity")["rows"]
    assert sum(row["records"] for row in activity) > len(served) - sum(row["zone"] is None for row in served)
    for row in activity:
        group = groups[row["zone"], row["hour"]]
        speeds = [each["speed"] for each in group if each["speed"] is not None]
        assert row["records"] == len(group)
        assert row["devices"] == len({each["device_id"] for each in group})
        assert row["mean_speed"] == pytest.approx(sum(speeds) / len(speeds)) if speeds else row["mean_speed"] is None
        extent = shapely.from_wkb(row["extent"])
        longitudes, latitudes = [each["longitude"] for each in group], [each["latitude"] for each in group]
        assert extent.bounds == (min(longitudes), min(latitudes), max(longitudes), max(latitudes))
        assert shapely.get_srid(extent) == 4326


@pytest.mark.parametrize("name", ["positions", "zone_activity"])
def test_copy_parts_load_into_postgis_as_the_same_rows_as_parquet__S0_6(run: Lake, postgres: Postgres, name: str) -> None:
    relation = run.relation(name)

    table = load(postgres, relation)

    arrived = rows_in_postgres(postgres, relation, table)
    assert len(arrived) == relation["rows"] > 0
    assert arrived == rows_in_parquet(relation, run.parquet(name))
    geometry = "geom" if name == "positions" else "extent"
    assert postgres.run(f"select distinct ST_SRID({geometry}) from {table}").strip() == b"4326"


def test_the_manifest_lists_the_parts_as_they_lie_in_the_bucket(run: Lake) -> None:
    from meridian_jobs.s3 import parse_uri, s3_client

    for relation in run.manifest()["relations"]:
        for part in relation["copyParts"]:
            bucket, key = parse_uri(part["uri"])
            head = s3_client().head_object(Bucket=bucket, Key=key)
            assert (head["ETag"], head["ContentLength"]) == (part["etag"], part["sizeBytes"])
    assert [column["name"] for column in run.relation("positions")["columns"]] == run.parquet("positions").column_names


def test_rows_lie_in_time_order_within_a_file(run: Lake) -> None:
    times = run.parquet("positions", "origin=added/").column("event_time").to_pylist()
    descents = sum(later < earlier for earlier, later in zip(times, times[1:]))
    assert descents < len(run.relation("positions")["copyParts"])


def test_the_spatial_joins_use_an_index_of_the_polygons_and_no_nested_loop__S0_2_S0_3(run: Lake, spark: SparkSession) -> None:
    task = parse_task(run.document(), "s3://lake/document")
    with spark_session("plan", partitions_for(task.row_count), sedona=True) as session:
        job = TransformJob(session, task)
        job.read_records()
        job.read_reference("airspaces")
        job.read_reference("countries")

        plan = _plan(job, positions.LOCATED)
        by_loop = _plan(job, positions.LOCATED.replace("ST_Intersects(airspaces.geometry, records.geom)", "airspaces.area > 1"))

    assert plan.count("BroadcastIndexJoin") == 2
    assert "NestedLoop" not in plan and "Cartesian" not in plan
    assert "NestedLoop" in by_loop, "a join that is not spatial must show in the plan, or the line above proves nothing"


def _plan(job: TransformJob, query: str) -> str:
    return job.sql(query)._jdf.queryExecution().executedPlan().toString()
