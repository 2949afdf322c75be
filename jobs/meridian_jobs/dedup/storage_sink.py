"""Runs on executors: writes rows to be stored as the dataset's Parquet files, one a place."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..parquet_file import ParquetFile
from ..relation_sink import REPORT
from .days import date_of
from .places import Places
from .task import DedupTask

_ZSTD_LEVEL = 3  # as the worker writes
_LINE_BITS = 40  # of a position, see activities/ledger/record-sql.ts
_LINEAGE = [
    ("cycle_id", pa.string()),
    ("generation", pa.int32()),
    ("raw_object", pa.string()),
    ("raw_version", pa.string()),
    ("raw_line", pa.int64()),
]
_ARROW_TYPES = {
    "timestamp-ms": pa.timestamp("us", tz="UTC"),
    "double": pa.float64(),
    "bigint": pa.int64(),
    "text": pa.string(),
    "boolean": pa.bool_(),
}


@dataclass(frozen=True)
class StorageSink:
    """A function for `mapInArrow`, over rows place by place. What it returns tells the driver what to complete."""

    places: Places
    stems: dict[int, str]
    """Day → what the URIs of its files begin with."""
    fields: tuple[tuple[str, str], ...]
    """Name and declared type."""
    cycle_id: str
    generation: int
    keys: tuple[str, ...]
    versions: tuple[str, ...]
    """Of the raw objects, by their ordinals."""

    @staticmethod
    def of(task: DedupTask, places: Places) -> StorageSink:
        return StorageSink(
            places,
            {day: task.storage_stem(date_of(day)) for day in places.first_by_day},
            tuple((field.name, field.type) for field in task.fields),
            task.cycle_id,
            task.generation,
            tuple(each.key for each in task.objects),
            tuple(each.version_id for each in task.objects),
        )

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        schema = pa.schema([(name, _ARROW_TYPES[type]) for name, type in self.fields] + _LINEAGE)
        names = (pa.array(self.keys, pa.string()), pa.array(self.versions, pa.string()))
        stored: Counter[int] = Counter()
        finished: list[dict[str, Any]] = []
        file: ParquetFile | None = None
        current = -1

        def finish() -> None:
            if file is not None:
                day, _ = self.places.day_and_number(current)
                finished.append({"eventDate": date_of(day), **asdict(file.finish())})

        try:
            for batch in batches:
                for place, rows in _by_place(batch):
                    if place != current:
                        finish()
                        current = place
                        day, number = self.places.day_and_number(place)
                        file = ParquetFile(f"{self.stems[day]}{number:05d}.parquet", schema, _ZSTD_LEVEL)
                    assert file is not None
                    objects = pc.shift_right(rows.column("_position"), pa.scalar(_LINE_BITS, pa.int64()))
                    file.write(self._stored(rows, objects, names, schema))
                    stored.update({each["values"]: each["counts"] for each in pc.value_counts(objects).to_pylist()})
            finish()
        except BaseException:
            if file is not None:
                file.abort()
            raise
        report = json.dumps({"files": finished, "stored": stored})
        yield pa.RecordBatch.from_arrays([pa.array([report])], schema=REPORT)

    def _stored(self, rows: pa.RecordBatch, objects: pa.Array, names: tuple[pa.Array, pa.Array], schema: pa.Schema) -> pa.RecordBatch:
        keys, versions = names
        lines = pc.bit_wise_and(rows.column("_position"), pa.scalar((1 << _LINE_BITS) - 1, pa.int64()))
        lineage = [
            pa.repeat(self.cycle_id, rows.num_rows),
            pa.repeat(pa.scalar(self.generation, pa.int32()), rows.num_rows),
            keys.take(objects),
            versions.take(objects),
            lines,
        ]
        return pa.RecordBatch.from_arrays([*(rows.column(name).cast(schema.field(name).type) for name, _ in self.fields), *lineage], schema=schema)


def _by_place(batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The batch cut where the place changes."""
    if batch.num_rows == 0:
        return
    places = batch.column("_place").to_numpy()
    cuts = np.flatnonzero(np.diff(places)) + 1
    for start, end in zip([0, *cuts], [*cuts, batch.num_rows]):
        yield int(places[start]), batch.slice(start, end - start)
