"""One Parquet object from Arrow batches, in row groups of a useful size and in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from .uploads import PendingObject, Upload

ROW_GROUP_BYTES = 32 * 1024 * 1024  # as Arrow holds it; some megabytes once compressed


@dataclass(frozen=True)
class PendingParquet:
    object: PendingObject
    rows: int


class ParquetFile:
    def __init__(self, uri: str, schema: pa.Schema, zstd_level: int | None = None) -> None:
        """@param zstd_level - Arrow's own, 1, unless given"""
        self._upload = Upload(uri)
        self._writer = pq.ParquetWriter(
            pa.PythonFile(self._upload, mode="w"), schema, compression="zstd", compression_level=zstd_level
        )
        self._schema = schema
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)
        self._rows += batch.num_rows
        if sum(each.nbytes for each in self._batches) >= ROW_GROUP_BYTES:
            self._write_row_group()

    def finish(self) -> PendingParquet:
        """All is uploaded; the object becomes visible when the driver completes it."""
        self._write_row_group()
        self._writer.close()
        return PendingParquet(self._upload.finish(), self._rows)

    def abort(self) -> None:
        self._upload.abort()

    def _write_row_group(self) -> None:
        if self._batches:
            self._writer.write_table(pa.Table.from_batches(self._batches, self._schema))
            self._batches = []
