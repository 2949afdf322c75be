"""Raw objects in groups, a Spark task each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Sequence

from .task import RawObject

GROUP_BYTES = 64 * 1024 * 1024
"""Raw bytes: a task's scratch space holds them with their lines and rows, some ten times as much where they are gzipped."""

LEAST_WEIGHT = 256 * 1024
"""What a request costs, in bytes that could have been read meanwhile: thousands of small objects are no small group."""


@dataclass(frozen=True)
class Group:
    number: int
    objects: tuple[RawObject, ...]
    """In the order of their ordinals, none of them empty."""


def group_objects(objects: Sequence[RawObject], cores: int) -> list[Group]:
    """Neighbours go together; at least as many groups as cores, where there are as many objects."""
    filled = [each for each in objects if each.size_bytes > 0]
    weights = [max(each.size_bytes, LEAST_WEIGHT) for each in filled]
    total = sum(weights)
    wanted = min(len(filled), max(cores, math.ceil(total / GROUP_BYTES)))
    members: dict[int, list[RawObject]] = {}
    before = 0
    for index, (each, weight) in enumerate(zip(filled, weights)):
        # By where its middle lies, so that sizes even out; as many objects as groups have one each.
        number = index if wanted == len(filled) else (before + weight // 2) * wanted // total
        members.setdefault(number, []).append(each)
        before += weight
    return [Group(number, tuple(group)) for number, group in enumerate(members.values())]
