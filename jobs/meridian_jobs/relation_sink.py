"""Runs on executors: writes one partition of a relation, as Parquet and as COPY parts, from the same Arrow batches."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Iterator
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
from pyspark import TaskContext

from .copy_parts import CopyPartWriter
from .parquet_file import ParquetFile

ADDED = "_added"
"""The extra last column of a relation with one row a record: did this cycle add it?"""

REPORT = pa.schema([("report", pa.string())])


@dataclass(frozen=True)
class RelationSink:
    """A function for `mapInArrow`. What it returns tells the driver what to complete: a failed attempt returns nothing."""

    relation_uri: str
    splits_added: bool

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        assert context is not None, "a relation is written by Spark's tasks"
        # The attempt's own names: a late attempt that still runs cannot touch what another one reported.
        stem = f"{context.partitionId():05d}-{uuid4().hex[:12]}"
        copy = CopyPartWriter(f"{self.relation_uri}copy/{stem}")
        files: dict[str, ParquetFile] = {}
        try:
            for batch in batches:
                if batch.num_rows == 0:
                    continue
                for origin, rows in self._by_origin(_without_nul(batch)):
                    if origin not in files:
                        files[origin] = ParquetFile(f"{self.relation_uri}parquet/{origin}{stem}.parquet", rows.schema)
                    files[origin].write(rows)
                    copy.write(rows)
            copy.finish()
            pending = {origin: asdict(file.finish()) for origin, file in files.items()}
        except BaseException:
            for file in files.values():
                file.abort()
            raise
        report = json.dumps({"parquet": pending, "copy": [asdict(part) for part in copy.parts]})
        yield pa.RecordBatch.from_arrays([pa.array([report])], schema=REPORT)

    def _by_origin(self, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        if not self.splits_added:
            yield "", batch
            return
        added = batch.column(ADDED)
        rows = batch.select([name for name in batch.schema.names if name != ADDED])
        for origin, mask in ((ORIGIN_ADDED, added), (ORIGIN_KEPT, pc.invert(added))):
            part = rows.filter(mask)
            if part.num_rows > 0:
                yield origin, part


ORIGIN_ADDED = "origin=added/"
ORIGIN_KEPT = "origin=kept/"


def _without_nul(batch: pa.RecordBatch) -> pa.RecordBatch:
    """U+0000 becomes U+FFFD: JSON may carry it in a name, but PostgreSQL's text cannot hold it and would refuse the whole part."""
    columns = batch.columns
    for index, column in enumerate(columns):
        if pa.types.is_string(column.type) and pc.any(pc.match_substring(column, "\0")).as_py():
            columns[index] = pc.replace_substring(column, "\0", "\ufffd")
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)
