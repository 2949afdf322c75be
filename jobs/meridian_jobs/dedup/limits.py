"""Limits of raw objects, and why a line or an object is kept from the judge: as activities/ledger/line-splitter.ts has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

KEPT_RAW_BYTES = 2_048


@dataclass(frozen=True)
class RawLimits:
    """`RawLimits` of activities/ledger/line-splitter.ts, in bytes."""

    max_line_bytes: int
    max_object_bytes: int


class Fault(NamedTuple):
    """Why a line never reaches the judge; both are printable ASCII."""

    reason: str
    detail: str


class Line(NamedTuple):
    number: int
    text: bytes
    fault: Fault | None


NOT_UTF8 = Fault("bad_line", "not UTF-8")


def too_long(size_bytes: int, limits: RawLimits) -> Fault | None:
    if size_bytes <= limits.max_line_bytes:
        return None
    return Fault("bad_line", f"a line of {size_bytes} bytes, at most {limits.max_line_bytes} are read")


class UnreadableObject(Exception):
    """An object that cannot be read as a whole, whatever the neighbours do: bad input, not broken machinery."""

    @property
    def detail(self) -> str:
        return re.sub(r"[^\x20-\x7e]", "?", str(self))
