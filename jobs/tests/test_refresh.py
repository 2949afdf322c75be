"""What `refreshBy` promises of the positions job: a day built alone has exactly the rows that it has in the whole."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import positions
from pyspark.sql import SparkSession
from support import samples
from support.copy_rows import load, rows_in_parquet, rows_in_postgres
from support.lake import Lake
from support.postgres import Postgres

DAYS = ("2018-08-01", "2018-08-02", "2018-08-03")
BY = {"positions": "event_time", "zone_activity": "hour"}


def _stored() -> dict[str, list[dict[str, Any]]]:
    """A few thousand real positions, by turns on three days, some of them at the very ends of a day; speeds whose sums are exact in any order."""
    records = [each for each in samples.switzerland()[::40] if each["longitude"] is not None and each["latitude"] is not None]
    stored: dict[str, list[dict[str, Any]]] = {day: [] for day in DAYS}
    for number, record in enumerate(records):
        day = DAYS[number % 3]
        start = datetime.fromisoformat(day).replace(tzinfo=timezone.utc)
        within = {0: timedelta(), 1: timedelta(days=1) - timedelta(milliseconds=1)}.get(number % 50, timedelta(milliseconds=record["timestamp"] % 86_400_000))
        stored[day].append(
            {
                "event_time": start + within,
                "device_id": record["icao24"],
                "longitude": record["longitude"],
                "latitude": record["latitude"],
                "speed": float(round(record["groundspeed"] or 0)),
                "altitude": record["altitude"],
            }
        )
    return stored


def _build(days: tuple[str, ...], stored: dict[str, list[dict[str, Any]]]) -> Lake:
    lake = Lake()
    for day in days:
        # One raw object a day, whichever days are built with it.
        lake.store([{**row, "raw_object": f"raw/{day}"} for row in stored[day]], added=day == DAYS[1])
    lake.refer("airspaces", samples.airspaces())
    lake.refer("countries", samples.countries())
    positions.main(["positions.py", lake.input_uri(refresh={"columns": BY, "rebuilt": [{"day": day} for day in days]})])
    return lake


def test_a_day_built_alone_is_the_day_in_the_whole(spark: SparkSession, postgres: Postgres) -> None:
    stored = _stored()
    whole = _build(DAYS, stored)
    alone = {day: _build((day,), stored) for day in DAYS}

    for name in BY:
        relation = whole.relation(name)
        in_whole = rows_in_postgres(postgres, relation, load(postgres, relation))
        parts = [lake.relation(name) for lake in alone.values()]
        assert sorted(row for part in parts for row in rows_in_postgres(postgres, part, load(postgres, part))) == in_whole
        assert [each["day"] for each in relation["days"]] == list(DAYS)
        for day, lake in alone.items():
            # What the gate reads of a day that is taken over is what it would read of one that was made again.
            below = f"event_date={day}/"
            assert rows_in_parquet(relation, lake.parquet(name, below)) == rows_in_parquet(relation, whole.parquet(name, below))
        assert len(in_whole) > 50
