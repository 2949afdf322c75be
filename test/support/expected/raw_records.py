"""Raw objects into records and verdicts, by the rules as they are written down; none of the product's code is used."""

from __future__ import annotations

import gzip
import json
import math
import re
import zlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

LATENESS = timedelta(days=3)
FUTURE_TOLERANCE = timedelta(minutes=10)
HOUR = timedelta(hours=1)
ARRIVAL = re.compile(r"^mobile-geolocation/(\d{4})/(\d{2})/(\d{2})/(\d{2})/.", re.DOTALL)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Position:
    """A record that is fit to be stored."""

    epoch_ms: int
    device: str | None
    longitude: float
    latitude: float
    speed: float | None
    altitude: float | None
    raw_object: str
    raw_line: int

    @property
    def key(self) -> tuple[int, float, float]:
        return self.epoch_ms, self.longitude, self.latitude


@dataclass
class Reading:
    """What an interval's objects hold."""

    read: int = 0
    positions: list[Position] = field(default_factory=list)
    quarantined: Counter[str] = field(default_factory=Counter)


def arrival_hour(key: str) -> datetime | None:
    found = ARRIVAL.match(key)
    return None if found is None else datetime(*map(int, found.groups()), tzinfo=UTC)


def read_objects(objects: dict[str, bytes], start: datetime, end: datetime) -> Reading:
    """Reads what arrived in `[start, end)`, in the order of the keys' bytes, each object's lines in their order."""
    reading = Reading()
    for key in sorted(objects, key=str.encode):
        arrived = arrival_hour(key)
        if arrived is not None and start <= arrived < end:
            read_object(key, objects[key], arrived, reading)
    return reading


def read_object(key: str, body: bytes, arrived: datetime, reading: Reading) -> None:
    try:
        text = gzip.decompress(body).decode("utf-8")
    except (EOFError, OSError, zlib.error):
        reading.read += 1
        reading.quarantined["unreadable_object"] += 1
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() == "":
            continue
        reading.read += 1
        verdict = judge(key, number, line, arrived)
        if isinstance(verdict, Position):
            reading.positions.append(verdict)
        else:
            reading.quarantined[verdict] += 1


def judge(key: str, number: int, line: str, arrived: datetime) -> Position | str:
    """The position, or the first reason that applies."""
    try:
        record: Any = json.loads(line)
    except ValueError:
        return "bad_line"
    if not isinstance(record, dict):
        return "bad_line"
    timestamp = record.get("timestamp")
    if not isinstance(timestamp, int) or isinstance(timestamp, bool):
        return "bad_timestamp"
    ordinates = [record.get("longitude"), record.get("latitude")]
    if any(value is None for value in ordinates):
        return "null_coordinate"
    if any(not is_number(value) or not math.isfinite(value) for value in ordinates):
        return "bad_coordinate"
    longitude, latitude = (float(value) for value in ordinates)
    if abs(longitude) > 180 or abs(latitude) > 90:
        return "coordinate_out_of_range"
    moment = EPOCH + timedelta(milliseconds=timestamp)
    if moment < arrived - LATENESS:
        return "too_late"
    if moment >= arrived + HOUR + FUTURE_TOLERANCE:
        return "future"
    return Position(
        timestamp, record.get("icao24"), longitude, latitude, as_float(record.get("groundspeed")), as_float(record.get("altitude")), key, number
    )


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_float(value: Any) -> float | None:
    return float(value) if is_number(value) else None
