"""Event dates, and the number that the worker's SQL gives them: days since 1970."""

from __future__ import annotations

from datetime import date, timedelta

_FIRST = date(1970, 1, 1)


def day_number(event_date: str) -> int:
    return (date.fromisoformat(event_date) - _FIRST).days


def date_of(day: int) -> str:
    return (_FIRST + timedelta(days=day)).isoformat()
