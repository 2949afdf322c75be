"""The line file of activities/ledger/raw-lines.ts: `object␟line␟reason␟detail␟text`, what DuckDB reads whatever the objects hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterable

from .limits import KEPT_RAW_BYTES, Line, UnreadableObject

_UNREADABLE = "unreadable_object"
_CONTROLS = re.compile("[\u0000-\u0008\u000a-\u001f]")


class LineFile:
    """Collects the lines of objects in one file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def add(self, ordinal: int, lines: Iterable[list[Line]]) -> int:
        """Adds one object's lines. An `UnreadableObject` on the way gives one record in place of all of them, which may themselves be cut.

        @returns the number of records, a quarantined one included
        """
        start = self._file.tell()
        records = 0
        try:
            for block in lines:
                self._append(ordinal, block)
                records += len(block)
        except UnreadableObject as error:
            self._file.seek(start)
            self._file.truncate()
            self._file.write(b"%d\x1f0\x1f%s\x1f%s\x1f\n" % (ordinal, _UNREADABLE.encode(), error.detail.encode()))
            return 1
        return records

    def close(self) -> None:
        self._file.close()

    def _append(self, ordinal: int, lines: list[Line]) -> None:
        head = b"%d\x1f" % ordinal
        self._file.write(
            b"".join(
                [
                    b"%s%d\x1f\x1f\x1f%s\n" % (head, number, text)
                    if fault is None
                    else b"%s%d\x1f%s\x1f%s\x1f%s\n" % (head, number, fault.reason.encode(), fault.detail.encode(), _kept(text))
                    for number, text, fault in lines
                ]
            )
        )


def _kept(text: bytes) -> bytes:
    """The beginning of a faulty line as text that the line file can carry."""
    return _CONTROLS.sub("\ufffd", text[:KEPT_RAW_BYTES].decode("utf-8", "replace")).encode()
