"""The document that a dedup run is given: `DedupInput` of domain/documents.ts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Mapping

from ..document import DocumentReader, read_document
from .limits import RawLimits

LINES = "'{lines}'"
"""Where the worker's SQL wants the path of the line file."""

FIELD_TYPES = {"timestamp-ms": "timestamp", "double": "double", "bigint": "bigint", "text": "string", "boolean": "boolean"}
"""Types of declared fields, as Spark calls them."""


@dataclass(frozen=True)
class RawObject:
    ordinal: int
    key: str
    version_id: str
    etag: str | None
    size_bytes: int
    from_ms: int
    to_ms: int
    """Event times within `[from_ms, to_ms)` are neither too late nor in the future."""


@dataclass(frozen=True)
class Field:
    name: str
    source: str
    type: str


@dataclass(frozen=True)
class SeenFile:
    """A storage file whose records count as seen."""

    uri: str
    event_date: str
    row_count: int
    size_bytes: int


@dataclass(frozen=True)
class DedupSql:
    """The worker's own SQL."""

    create_objects: str
    create_records: str
    fingerprint: str


@dataclass(frozen=True)
class DedupTask:
    cycle_id: str
    generation: int
    attempt: str
    raw_bucket: str
    raw_format: str
    objects: tuple[RawObject, ...]
    limits: RawLimits
    fields: tuple[Field, ...]
    event_time: str
    sql: DedupSql
    seen: Mapping[str, tuple[SeenFile, ...]]
    """Of every event date that records may be stored for."""
    storage_uri: str
    quarantine_uri: str
    work_uri: str

    @property
    def manifest_uri(self) -> str:
        return f"{self.work_uri}_manifest.json"

    def storage_stem(self, event_date: str) -> str:
        """What the URIs of this attempt's files of a date begin with."""
        return f"{self.storage_uri}event_date={event_date}/{self.attempt}-"


def read_task(uri: str) -> DedupTask:
    """@raises JobError with every fault of the document at once"""
    return parse_task(read_document(uri), uri)


def parse_task(document: Any, uri: str) -> DedupTask:
    reader = DocumentReader(uri)
    take, take_uri, faults = reader.take, reader.take_uri, reader.faults

    def take_object(ordinal: int, each: Any) -> RawObject:
        path = f"objects[{ordinal}]."
        etag = take(each, "etag", str, path) if isinstance(each, dict) and "etag" in each else None
        sizes_and_times = (take(each, key, int, path) for key in ("sizeBytes", "fromMs", "toMs"))
        return RawObject(ordinal, take(each, "key", str, path), take(each, "versionId", str, path), etag, *sizes_and_times)

    def take_seen(event_date: str) -> tuple[SeenFile, ...]:
        if not _is_date(event_date):
            faults.append(f"seen: expected dates, YYYY-MM-DD, found {event_date[:80]}")
        return tuple(
            SeenFile(
                take_uri(each, "uri", path := f"seen.{event_date}[{index}]."),
                event_date,
                take(each, "rowCount", int, path),
                take(each, "sizeBytes", int, path),
            )
            for index, each in enumerate(take(seen, event_date, list, "seen."))
        )

    raw, limits, sql, seen = (take(document, key, dict) for key in ("raw", "limits", "sql", "seen"))
    fields = tuple(
        Field(
            take(each, "name", str, path := f"fields[{index}]."),
            take(each, "source", str, path),
            reader.take_known(each, "type", FIELD_TYPES, path),
        )
        for index, each in enumerate(take(document, "fields", list))
    )
    task = DedupTask(
        cycle_id=take(document, "cycleId", str),
        generation=take(take(document, "cycle", dict), "generation", int, "cycle."),
        attempt=take(document, "attempt", str),
        raw_bucket=take(raw, "bucket", str, "raw."),
        raw_format=reader.take_known(raw, "format", ("json-lines", "parquet"), "raw."),
        objects=tuple(take_object(ordinal, each) for ordinal, each in enumerate(take(document, "objects", list))),
        limits=RawLimits(take(limits, "maxLineBytes", int, "limits."), take(limits, "maxObjectBytes", int, "limits.")),
        fields=fields,
        event_time=reader.take_known(document, "eventTime", [field.name for field in fields if field.type == "timestamp-ms"]),
        sql=DedupSql(*(take(sql, key, str, "sql.") for key in ("createObjects", "createRecords", "fingerprint"))),
        seen={event_date: take_seen(event_date) for event_date in seen},
        storage_uri=take_uri(document, "storageUri", folder=True),
        quarantine_uri=take_uri(document, "quarantineUri"),
        work_uri=take_uri(document, "workUri", folder=True),
    )
    if not re.fullmatch("[0-9a-f]{16}", task.attempt):
        faults.append(f"attempt: expected 16 hex digits, found {task.attempt[:80]}")
    if LINES not in task.sql.create_records:
        faults.append(f"sql.createRecords: expected {LINES} where the line file's path goes")
    reader.expect_none_wrong()
    return task


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
