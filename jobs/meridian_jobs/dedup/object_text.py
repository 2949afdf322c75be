"""The text of a raw object in blocks, gunzipped where it is a gzip: activities/ledger/raw-lines.ts once more (docs/decisions/0012)."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import BinaryIO, Iterator

from .limits import RawLimits, UnreadableObject

_BLOCK_BYTES = 256 * 1024
_GZIP = 31  # zlib's window bits for a gzip's header and trailer
_ZLIB_CODES = {"-5": "Z_BUF_ERROR", "-3": "Z_DATA_ERROR", "-2": "Z_STREAM_ERROR", "2": "Z_NEED_DICT"}


def text_blocks(key: str, path: Path, limits: RawLimits) -> Iterator[bytes]:
    """@raises UnreadableObject where a gzip is cut, altered, has something but zeros behind it, or inflates without bounds"""
    with path.open("rb") as file:
        # By name or by its first two bytes: devices and Firehose do not always agree on the suffix.
        is_gzip = key.endswith(".gz") or file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if not is_gzip:
            yield from iter(lambda: file.read(_BLOCK_BYTES), b"")
            return
        size_bytes = 0
        for block in _gunzipped(file):
            size_bytes += len(block)
            refuse_bomb(size_bytes, limits)
            yield block


def refuse_bomb(size_bytes: int, limits: RawLimits) -> None:
    if size_bytes > limits.max_object_bytes:
        raise UnreadableObject(f"inflates beyond {limits.max_object_bytes} bytes")


def _gunzipped(file: BinaryIO) -> Iterator[bytes]:
    """Members one after the other are one text."""
    inflater = zlib.decompressobj(_GZIP)
    position = 0
    while data := file.read(_BLOCK_BYTES):
        while data:
            if inflater.eof:
                if data[0] == 0:
                    _expect_padding(file, data, position)
                    return
                inflater = zlib.decompressobj(_GZIP)
            block = _inflate(inflater, data)
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            position += len(data) - len(rest)
            data = rest
            if block:
                yield block
    while not inflater.eof:
        block = _inflate(inflater, b"")
        if not block and not inflater.eof:
            raise UnreadableObject("unexpected end of file (Z_BUF_ERROR)")
        yield block


def _inflate(inflater: zlib._Decompress, data: bytes) -> bytes:
    try:
        return inflater.decompress(data, _BLOCK_BYTES)
    except zlib.error as error:
        found = re.match(r"Error (-?\d+) while decompressing data(?:: (.*))?", str(error), re.S)
        if found is None or found[1] not in _ZLIB_CODES:
            raise
        raise UnreadableObject(f"{found[2] or 'zlib error'} ({_ZLIB_CODES[found[1]]})") from error


def _expect_padding(file: BinaryIO, data: bytes, end: int) -> None:
    """zlib takes a zero behind a member for padding and looks no further: records behind it would be lost in silence."""
    while data:
        if data.strip(b"\0"):
            raise UnreadableObject(f"bytes other than zero behind the gzip, which ends at byte {end}")
        data = file.read(_BLOCK_BYTES)
