"""Runs on executors: the fingerprints of storage files whose records count as seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import pyarrow as pa

from ..errors import JobError
from ..s3 import parse_uri, s3_client
from .database import open_database, scratch_folder, sql_text
from .days import day_number
from .judge import FINGERPRINT_BYTES, FINGERPRINT_TOP
from .places import Places
from .task import SeenFile

SEEN_COLUMNS = "_place int, _fingerprint binary"
_SCHEMA = pa.schema([("_place", pa.int32()), ("_fingerprint", pa.binary())])
_BATCH_ROWS = 65_536


@dataclass(frozen=True)
class SeenReader:
    """A function for `mapInArrow`: from rows of files to rows of `SEEN_COLUMNS`."""

    fingerprint: str
    """The worker's expression over a storage file's columns."""
    places: Places

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for row in batch.to_pylist():
                with scratch_folder() as folder:
                    yield from self._read(SeenFile(**row), folder)

    def _read(self, file: SeenFile, folder: Path) -> Iterator[pa.RecordBatch]:
        path = folder / "seen.parquet"
        bucket, key = parse_uri(file.uri)
        s3_client().download_file(bucket, key, str(path))
        _expect(file, "bytes", file.size_bytes, path.stat().st_size)
        day = day_number(file.event_date)
        first, count = self.places.first_by_day[day], self.places.count_by_day[day]
        rows = 0
        with open_database(folder) as db:
            db.execute(
                f"""select ({first} + ({FINGERPRINT_TOP.format("_seen")} * {count} >> 32))::integer as _place,
                  {FINGERPRINT_BYTES.format("_seen")} as _fingerprint
                from (select {self.fingerprint} as _seen from read_parquet({sql_text(str(path))}, hive_partitioning = false))"""
            )
            for batch in db.to_arrow_reader(_BATCH_ROWS):
                rows += batch.num_rows
                yield batch.cast(_SCHEMA)
        _expect(file, "rows", file.row_count, rows)


def _expect(file: SeenFile, what: str, expected: int, found: int) -> None:
    if expected != found:
        raise JobError(f"Storage file {file.uri} is not what the ledger says: expected {expected} {what}, found {found}")
