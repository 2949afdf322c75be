"""Records without a place on Earth: kept apart with the reason, their raw object and line."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Iterator
from uuid import uuid4

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame

from .relation_sink import REPORT
from .s3 import put_object

REASON = "invalid_geometry"
FILE_BYTES = 32 * 1024 * 1024  # of JSON, before compression
_LINEAGE = ("cycle_id", "generation", "raw_object", "raw_version", "raw_line")


def fault_sql(longitude: str, latitude: str) -> str:
    """SQL that says what is wrong with a record's place, null when nothing is."""
    return f"""case
      when `{longitude}` is null or `{latitude}` is null then 'a coordinate is null'
      when isnan(`{longitude}`) or isnan(`{latitude}`) then 'a coordinate is not a number'
      when abs(`{longitude}`) > 180 or abs(`{latitude}`) > 90 then 'outside longitude ±180, latitude ±90'
      when not ST_IsValid(ST_Point(`{longitude}`, `{latitude}`)) then 'not a valid point'
    end"""


@dataclass(frozen=True)
class QuarantineSink:
    """A function for `mapInArrow`: JSON lines, gzipped, under the attempt's own names."""

    quarantine_uri: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        context = TaskContext.get()
        assert context is not None, "quarantine is written by Spark's tasks"
        stem_uri = f"{self.quarantine_uri}{context.partitionId():05d}-{uuid4().hex[:12]}"
        written = 0
        for number, lines in enumerate(_in_files(batches)):
            uri = f"{stem_uri}-{number}.jsonl.gz"
            # No time in the header: the same rows give the same bytes.
            put_object(uri, gzip.compress("".join(f"{line}\n" for line in lines).encode(), mtime=0))
            report = json.dumps({"uri": uri, "rows": len(lines)})
            written += len(lines)
            yield pa.RecordBatch.from_arrays([pa.array([report])], schema=REPORT)


def _in_files(batches: Iterator[pa.RecordBatch]) -> Iterator[list[str]]:
    lines: list[str] = []
    size = 0
    for batch in batches:
        for line in batch.column(0).to_pylist():
            lines.append(line)
            size += len(line)
            if size >= FILE_BYTES:
                yield lines
                lines, size = [], 0
    if lines:
        yield lines


def write_quarantine(faulty: DataFrame, quarantine_uri: str) -> tuple[int, list[str]]:
    """Writes records that have a `fault`. @returns how many, and the files' URIs"""
    names = faulty._jdf.columns()
    record = ", ".join(f"`{name}`" for name in names if name not in (*_LINEAGE, "fault"))
    # The same six names as in the files of the deduplication: one reader for all of quarantine.
    line = f"""to_json(named_struct(
      'reason', '{REASON}', 'detail', fault, 'object', raw_object, 'version', raw_version, 'line', raw_line,
      'raw', to_json(struct({record}), map('ignoreNullFields', 'false')))) as line"""
    reports = [
        json.loads(row.report)
        for row in faulty.selectExpr(line).mapInArrow(QuarantineSink(quarantine_uri), "report string").collect()
    ]
    return sum(report["rows"] for report in reports), sorted(report["uri"] for report in reports)
