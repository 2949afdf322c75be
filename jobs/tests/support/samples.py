"""The real input of the demo: aircraft positions and airspaces of PyPI's `traffic`, countries of npm's `world-atlas`."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from shapely.geometry import MultiPolygon, Polygon, shape
from shapely.geometry.base import BaseGeometry

WHEEL = "traffic-2.13-py3-none-any.whl"
WORLD_ATLAS = Path(__file__).parents[3] / "node_modules" / "world-atlas" / "countries-10m.json"


@lru_cache(maxsize=1)
def traffic_wheel() -> Path:
    given = os.environ.get("MERIDIAN_TRAFFIC_WHEEL")
    if given:
        return Path(given)
    user_cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("MERIDIAN_CACHE") or Path(user_cache) / "meridian") / "input"
    if not (folder / WHEEL).exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), "traffic==2.13"]
        subprocess.run(command, check=True, timeout=600)
    return folder / WHEEL


def switzerland() -> list[dict[str, Any]]:
    """139,098 positions of 842 aircraft, 2018-08-01."""
    with ZipFile(traffic_wheel()) as wheel:
        return json.loads(gzip.decompress(wheel.read("traffic/data/samples/collections/switzerland.json.gz")))


def savan() -> list[dict[str, Any]]:
    """Positions of which some lie in two airspaces."""
    with ZipFile(traffic_wheel()) as wheel:
        return json.loads(gzip.decompress(wheel.read("traffic/data/samples/collections/savan.json.gz")))


def airspaces() -> list[tuple[str, BaseGeometry]]:
    with ZipFile(traffic_wheel()) as wheel:
        collection = json.loads(wheel.read("traffic/data/eurocontrol/eurofirs.json"))
    return [(feature["properties"]["NAME"], shape(feature["geometry"])) for feature in collection["features"]]


def countries() -> list[tuple[str, BaseGeometry]]:
    topology = json.loads(WORLD_ATLAS.read_text())
    (scale_x, scale_y), (shift_x, shift_y) = topology["transform"]["scale"], topology["transform"]["translate"]

    def arc(index: int) -> list[tuple[float, float]]:
        x = y = 0
        points = []
        for dx, dy in topology["arcs"][index if index >= 0 else ~index]:
            x, y = x + dx, y + dy
            points.append((x * scale_x + shift_x, y * scale_y + shift_y))
        return points if index >= 0 else points[::-1]

    def ring(indexes: list[int]) -> list[tuple[float, float]]:
        points: list[tuple[float, float]] = []
        for index in indexes:
            points.extend(arc(index)[1 if points else 0 :])
        while len(points) < 4:  # as topojson-client does: islands that simplification left two points of
            points.append(points[0])
        return points

    def polygon(rings: list[list[int]]) -> Polygon:
        outer, *holes = [ring(each) for each in rings]
        return Polygon(outer, holes)

    return [
        (
            each["properties"]["name"],
            polygon(each["arcs"]) if each["type"] == "Polygon" else MultiPolygon([polygon(one) for one in each["arcs"]]),
        )
        for each in topology["objects"]["countries"]["geometries"]
        if each["type"] in ("Polygon", "MultiPolygon")
    ]
