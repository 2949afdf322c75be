"""Airspaces and countries from their sources, and which of them hold a position."""

from __future__ import annotations

import json
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import shape

GEOHASH = "0123456789bcdefghjkmnpqrstuvwxyz"


class Areas:
    """Named polygons."""

    def __init__(self, named: list[tuple[str, Any]]) -> None:
        self.names = [name for name, _ in named]
        self.shapes = [polygon for _, polygon in named]

    def holding(self, longitudes: list[float], latitudes: list[float]) -> dict[int, list[str]]:
        """For each position by index: the areas that contain it, smallest first; equal areas by name."""
        tree = shapely.STRtree(shapely.points(longitudes, latitudes))
        found: dict[int, list[int]] = defaultdict(list)
        for area, position in zip(*tree.query(self.shapes, predicate="contains"), strict=True):
            found[int(position)].append(int(area))
        order = lambda area: (self.shapes[area].area, self.names[area])  # noqa: E731
        return {position: [self.names[area] for area in sorted(areas, key=order)] for position, areas in found.items()}


def airspaces(wheel: Path) -> Areas:
    with zipfile.ZipFile(wheel) as archive:
        collection = json.loads(archive.read("traffic/data/eurocontrol/eurofirs.json"))
    return Areas([(each["properties"]["NAME"], shape(each["geometry"])) for each in collection["features"]])


def countries(topology_file: Path) -> Areas:
    topology = json.loads(topology_file.read_text("utf-8"))
    (scale_x, scale_y), (shift_x, shift_y) = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs: list[list[tuple[float, float]]] = []
    for deltas in topology["arcs"]:
        x = y = 0
        arc = []
        for dx, dy in deltas:
            x, y = x + dx, y + dy
            arc.append((x * scale_x + shift_x, y * scale_y + shift_y))
        arcs.append(arc)

    def ring(indexes: list[int]) -> list[tuple[float, float]]:
        points: list[tuple[float, float]] = []
        for index in indexes:
            arc = arcs[index] if index >= 0 else arcs[~index][::-1]
            points.extend(arc if not points else arc[1:])
        # An island that quantisation shrank to a line is closed by repeating its start; it holds nothing.
        return points + points[:1] * (4 - len(points))

    def polygon(rings: list[list[int]]) -> shapely.Polygon:
        outer, *holes = [ring(each) for each in rings]
        return shapely.Polygon(outer, holes)

    named = []
    for each in topology["objects"]["countries"]["geometries"]:
        parts = [each["arcs"]] if each["type"] == "Polygon" else each["arcs"]
        polygons = [polygon(part) for part in parts]
        named.append((each["properties"]["name"], polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)))
    return Areas(named)


def geohash(longitude: float, latitude: float, length: int = 7) -> str:
    """Niemeyer's geohash: bits of longitude and latitude in turn, five a character."""
    bounds = [[-180.0, 180.0], [-90.0, 90.0]]
    value = 0
    for bit in range(length * 5):
        low_high, ordinate = bounds[bit % 2], (longitude, latitude)[bit % 2]
        middle = (low_high[0] + low_high[1]) / 2
        above = ordinate >= middle
        value = value << 1 | above
        low_high[0 if above else 1] = middle
    return "".join(GEOHASH[value >> 5 * (length - 1 - index) & 31] for index in range(length))
