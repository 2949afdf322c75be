"""Where records of a chunk are compared and stored: each event date is cut by fingerprint into places, a task's work and a file each."""

from __future__ import annotations

import math
from typing import Mapping

ROWS_PER_PLACE = 1_000_000
"""Of a day's records, seen ones among them: what is sorted at once, and a storage file holds at most, give or take."""


class Places:
    """Places are numbered through all days, in the order of days and fingerprints."""

    def __init__(self, rows_by_day: Mapping[int, int]) -> None:
        self._places = [(day, number) for day in sorted(rows_by_day) for number in range(math.ceil(rows_by_day[day] / ROWS_PER_PLACE))]
        self._by_day: dict[int, list[int]] = {}
        for place, (day, _) in enumerate(self._places):
            self._by_day.setdefault(day, []).append(place)

    def __len__(self) -> int:
        return len(self._places)

    def day_and_number(self, place: int) -> tuple[int, int]:
        """The place's day since 1970, and its number among that day's."""
        return self._places[place]

    @property
    def first_by_day(self) -> dict[int, int]:
        return {day: places[0] for day, places in self._by_day.items()}

    @property
    def count_by_day(self) -> dict[int, int]:
        return {day: len(places) for day, places in self._by_day.items()}
