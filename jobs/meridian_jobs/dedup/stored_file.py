"""Storage files held against what was reported of them, before anything counts on them."""

from __future__ import annotations

import io

import pyarrow.parquet as pq

from ..errors import JobError
from ..s3 import parse_uri, s3_client

_TAIL_BYTES = 64 * 1024
_END_BYTES = 8  # the footer's length and `PAR1`


def expect_readable(uri: str, rows: int, size_bytes: int) -> None:
    """Reads a file's footer. @raises JobError when there is none, or it has other rows than were written"""
    bucket, key = parse_uri(uri)
    tail, total = _tail(bucket, key, _TAIL_BYTES)
    if total != size_bytes:
        raise JobError(f"Storage file {uri} was written with {size_bytes} bytes, but has {total}")
    footer_bytes = int.from_bytes(tail[-_END_BYTES:-4], "little") + _END_BYTES
    if len(tail) < footer_bytes <= size_bytes:
        tail, _ = _tail(bucket, key, footer_bytes)
    try:
        found = pq.read_metadata(io.BytesIO(tail)).num_rows
    except Exception as error:
        raise JobError(f"Storage file {uri} was written, but is no readable Parquet: {error}") from error
    if found != rows:
        raise JobError(f"Storage file {uri} was written with {rows} rows, but has {found}")


def _tail(bucket: str, key: str, size_bytes: int) -> tuple[bytes, int]:
    """@returns the object's last bytes, and how many it has"""
    answer = s3_client().get_object(Bucket=bucket, Key=key, Range=f"bytes=-{size_bytes}")
    total = answer.get("ContentRange", "").rpartition("/")[2] or answer["ContentLength"]
    return answer["Body"].read(), int(total)
