"""Runs on executors: writes one partition of a relation, as Parquet and as COPY parts, from the same Arrow batches."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Iterator
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
from pyspark import TaskContext

from .copy_parts import CopyPartWriter
from .errors import JobError
from .parquet_file import ParquetFile

ADDED = "_added"
"""The extra last column of a relation with one row a record: did this cycle add it?"""

DAY = "_day"
"""The extra column of a relation that is refreshed by day: the UTC day of each row, in whose order the rows come."""

REPORT = pa.schema([("report", pa.string())])


@dataclass(frozen=True)
class RelationSink:
    """A function for `mapInArrow`. What it returns tells the driver what to complete: a failed attempt returns nothing."""

    relation_uri: str
    splits_added: bool
    splits_days: bool = False

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        assert context is not None, "a relation is written by Spark's tasks"
        # The attempt's own names: a late attempt that still runs cannot touch what another one reported.
        stem = f"{context.partitionId():05d}-{uuid4().hex[:12]}"
        copy = CopyPartWriter(f"{self.relation_uri}copy/{stem}")
        files: dict[str, ParquetFile] = {}
        finished: list[dict[str, Any]] = []
        current: str | None = None

        def finish_day() -> None:
            # Rows come day by day: a day's files are whole once another begins, and need no memory any more.
            while files:
                origin = next(iter(files))
                finished.append({"day": current, "origin": origin, **asdict(files[origin].finish())})
                del files[origin]

        try:
            for batch in batches:
                for day, of_day in self._by_day(_without_nul(batch)):
                    if day != current:
                        finish_day()
                        current = day
                    for origin, rows in self._by_origin(of_day):
                        if origin not in files:
                            files[origin] = ParquetFile(f"{self.relation_uri}parquet/{folder(day, origin)}{stem}.parquet", rows.schema)
                        files[origin].write(rows)
                        copy.write(rows)
            copy.finish()
            finish_day()
        except BaseException:
            for file in files.values():
                file.abort()
            raise
        report = json.dumps({"parquet": finished, "copy": [asdict(part) for part in copy.parts]})
        yield pa.RecordBatch.from_arrays([pa.array([report])], schema=REPORT)

    def _by_day(self, batch: pa.RecordBatch) -> Iterator[tuple[str | None, pa.RecordBatch]]:
        if batch.num_rows == 0:
            return
        if not self.splits_days:
            yield None, batch
            return
        days = batch.column(DAY)
        if days.null_count > 0:
            raise JobError(f"{self.relation_uri} has {days.null_count} rows without a day: the column of refreshBy must not be null")
        rows = batch.select([name for name in batch.schema.names if name != DAY])
        for day in pc.unique(days):
            yield day.as_py().isoformat(), rows.filter(pc.equal(days, day))

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


def folder(day: str | None, origin: str) -> str:
    """Where rows stand below `parquet/`: the day first, so that the folder of an origin holds no day's."""
    return origin if day is None else f"{DAY_FOLDER}{day}/{origin}"


ORIGIN_ADDED = "origin=added/"
ORIGIN_KEPT = "origin=kept/"
DAY_FOLDER = "event_date="


def _without_nul(batch: pa.RecordBatch) -> pa.RecordBatch:
    """U+0000 becomes U+FFFD: JSON may carry it in a name, but PostgreSQL's text cannot hold it and would refuse the whole part."""
    columns = batch.columns
    for index, column in enumerate(columns):
        if pa.types.is_string(column.type) and pc.any(pc.match_substring(column, "\0")).as_py():
            columns[index] = pc.replace_substring(column, "\0", "\ufffd")
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)
