"""An object of JSON lines as its records."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

from .limits import Line, RawLimits
from .line_splitter import LineSplitter
from .object_text import text_blocks


def json_lines(key: str, path: Path, limits: RawLimits) -> Iterator[list[Line]]:
    splitter = LineSplitter(limits)
    for block in text_blocks(key, path, limits):
        yield splitter.push(block)
    yield splitter.end()
