"""What the three nights must come to, computed apart from the product; prints one JSON document.

Raw objects come from the bucket as they were uploaded, areas from their sources. Checksums are md5 over one line a row, in the
order of the key, floating point numbers as the sixteen hexadecimal digits of their IEEE 754 bits: `checksums.ts` has the same in SQL.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import struct
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3

from areas import airspaces, countries, geohash
from raw_records import Position, read_objects

HOUR_MS = 3_600_000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    source = options.add_mutually_exclusive_group(required=True)
    source.add_argument("--bucket")
    source.add_argument("--folder", type=Path)
    options.add_argument("--wheel", type=Path, required=True)
    options.add_argument("--countries", type=Path, required=True)
    options.add_argument("--promoted", nargs="+", required=True, help="interval ends, in their order")
    options.add_argument("--rejected", nargs="*", default=[])
    given = options.parse_args()

    objects = from_bucket(given.bucket) if given.folder is None else from_folder(given.folder)
    zones, lands = airspaces(given.wheel), countries(given.countries)
    nights = []
    served: list[tuple[Position, str]] = []
    for text in [*given.promoted, *given.rejected]:
        end = datetime.fromisoformat(text)
        reading = read_objects(objects, end - timedelta(days=1), end)
        stored, seen = [], {position.key for position, _ in served}
        for position in reading.positions:
            if position.key not in seen:
                seen.add(position.key)
                stored.append(position)
        promoted = text in given.promoted
        if promoted:
            cycle = f"mobile-geolocation/{end.astimezone(UTC):%Y%m%dT%H%M%SZ}"
            served += [(position, cycle) for position in stored]
        nights.append(
            {
                "intervalEnd": text,
                "read": reading.read,
                "stored": len(stored),
                "duplicates": len(reading.positions) - len(stored),
                "quarantined": dict(sorted(reading.quarantined.items())),
                "storedWithoutSpeed": sum(position.speed is None for position in stored),
                "served": serve(served, zones, lands) if promoted else {},
            }
        )
    print(json.dumps({"nights": nights}, indent=2))


def serve(rows: list[tuple[Position, str]], zones: Any, lands: Any) -> dict[str, Any]:
    rows = sorted(rows, key=lambda row: row[0].key)
    longitudes, latitudes = [row.longitude for row, _ in rows], [row.latitude for row, _ in rows]
    in_zones, in_countries = zones.holding(longitudes, latitudes), lands.holding(longitudes, latitudes)
    activity: dict[tuple[str, int], list[Position]] = defaultdict(list)
    lines = []
    for index, (row, cycle) in enumerate(rows):
        for zone in in_zones.get(index, []):
            activity[zone, row.epoch_ms // HOUR_MS * HOUR_MS].append(row)
        lines.append(
            "|".join(
                [
                    str(row.epoch_ms),
                    row.device or "-",
                    *(bits(value) for value in (row.longitude, row.latitude, row.speed, row.altitude)),
                    next(iter(in_zones.get(index, [])), "-"),
                    next(iter(in_countries.get(index, [])), "-"),
                    geohash(row.longitude, row.latitude),
                    cycle,
                    row.raw_object,
                    str(row.raw_line),
                ]
            )
        )
    activity_lines = []
    for (zone, hour), positions in sorted(activity.items(), key=lambda item: (item[0][0].encode(), item[0][1])):
        speeds = [position.speed for position in positions if position.speed is not None]
        xs, ys = [position.longitude for position in positions], [position.latitude for position in positions]
        activity_lines.append(
            "|".join(
                [
                    zone,
                    str(hour),
                    str(len(positions)),
                    str(len({position.device for position in positions})),
                    # Sums of doubles depend on their order: the mean is compared to the millionth.
                    str(round(sum(speeds) / len(speeds) * 1e6)) if speeds else "-",
                    *(bits(value) for value in (min(xs), min(ys), max(xs), max(ys))),
                ]
            )
        )
    return {"positions": checksum(lines), "zone_activity": checksum(activity_lines)}


def bits(value: float | None) -> str:
    return "-" if value is None else struct.pack(">d", value).hex()


def checksum(lines: list[str]) -> dict[str, Any]:
    return {"rows": len(lines), "md5": hashlib.md5("\n".join(lines).encode()).hexdigest(), "first": lines[0], "last": lines[-1]}


def from_bucket(bucket: str) -> dict[str, bytes]:
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="mobile-geolocation/")
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def from_folder(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


if __name__ == "__main__":
    main()
