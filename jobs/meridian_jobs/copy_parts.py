"""PostgreSQL `COPY … (FORMAT binary)` objects from Arrow batches: the load then only pipes bytes."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder

from .s3 import put_object

PART_BYTES = 32 * 1024 * 1024
"""A part is held in memory until it is put whole, so that its ETag is its MD5 and the load can check every byte."""


@dataclass(frozen=True)
class CopyPart:
    """`CopyPart` of domain/documents.ts."""

    uri: str
    etag: str
    rows: int
    size_bytes: int


class CopyPartWriter:
    """Cuts a stream of batches into parts, each with its header and trailer."""

    def __init__(self, stem_uri: str) -> None:
        self._stem_uri = stem_uri
        self._encoder: ArrowToPostgresBinaryEncoder | None = None
        self._buffer = bytearray()
        self._rows = 0
        self.parts: list[CopyPart] = []

    def write(self, batch: pa.RecordBatch) -> None:
        if self._encoder is None:
            self._encoder = ArrowToPostgresBinaryEncoder(batch.schema)
            self._buffer += self._encoder.write_header()
        self._buffer += self._encoder.write_batch(batch)  # pgpq itself holds back what is less than a megabyte
        self._rows += batch.num_rows
        if len(self._buffer) >= PART_BYTES:
            self.finish()

    def finish(self) -> None:
        """Puts what is left as a last part. Safe to call again."""
        if self._encoder is None:
            return
        self._buffer += self._encoder.finish()
        uri = f"{self._stem_uri}-{len(self.parts)}.bin"
        etag = put_object(uri, bytes(self._buffer), ContentType="application/octet-stream")
        self.parts.append(CopyPart(uri, etag, self._rows, len(self._buffer)))
        self._encoder, self._buffer, self._rows = None, bytearray(), 0
