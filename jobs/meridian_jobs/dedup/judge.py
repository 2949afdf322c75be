"""Runs on executors: judges the records of a group of objects by the worker's own SQL."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from ..errors import JobError
from ..uploads import PendingObject, abort, upload_file
from .database import open_database, scratch_folder, sql_name, sql_text
from .groups import Group
from .json_lines import json_lines
from .limits import RawLimits
from .line_file import LineFile
from .parquet_rows import parquet_rows
from .raw_object import describe, download
from .task import LINES, DedupSql, DedupTask, Field, RawObject


@dataclass
class ObjectCounts:
    read: int
    """As counted before any parsing."""
    sound: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)


@dataclass
class GroupReport:
    counts: dict[int, ObjectCounts] = field(default_factory=dict)
    """By the objects' ordinals."""
    sound_by_day: dict[int, int] = field(default_factory=dict)
    """By the number of the day since 1970."""
    judged: PendingObject | None = None
    """The sound rows: Parquet, see `JUDGED_COLUMNS`."""
    quarantine: PendingObject | None = None
    fault: str | None = None
    """Why the run must end: Spark would only try again what never gets better."""


JUDGED_COLUMNS = {"_position": "bigint", "_day": "int", "_fingerprint": "binary", "_top": "bigint"}
"""Before the declared fields; `_top` is the fingerprint's first 32 bits."""

FINGERPRINT_BYTES = "{0}::bit::blob"
FINGERPRINT_TOP = "({0} >> 96)::bigint"


@dataclass(frozen=True)
class Judge:
    """A function from a group of objects to its report. What it uploads becomes visible when the driver completes it."""

    raw_bucket: str
    raw_format: str
    limits: RawLimits
    fields: tuple[Field, ...]
    sql: DedupSql
    judged_uri: str
    quarantine_uri: str

    @staticmethod
    def of(task: DedupTask) -> Judge:
        return Judge(
            task.raw_bucket, task.raw_format, task.limits, task.fields, task.sql, f"{task.work_uri}judged/", task.quarantine_uri
        )

    def __call__(self, group: Group) -> GroupReport:
        try:
            with scratch_folder() as folder:
                return self._judge(group, folder)
        except JobError as error:
            return GroupReport(fault=str(error))

    def _judge(self, group: Group, folder: Path) -> GroupReport:
        report = GroupReport()
        self._collect(group, folder, report)
        with open_database(folder) as db, ExitStack() as on_failure:
            self._load(db, group, folder / "lines")
            self._count(db, group, report)
            if report.sound_by_day:
                fields = ", ".join(sql_name(field.name) for field in self.fields)
                rows = f"""select _position, _day, {FINGERPRINT_BYTES.format("_fingerprint")} as _fingerprint,
                  {FINGERPRINT_TOP.format("_fingerprint")} as _top, {fields} from line_record where _reason is null"""
                report.judged = _upload(db, rows, folder / "judged", "parquet, compression zstd", f"{self.judged_uri}{group.number:05d}.parquet")
                on_failure.callback(abort, report.judged)
            if any(counts.quarantined for counts in report.counts.values()):
                # The names and the order of activities/ledger/chunk-files.ts.
                lines = """select _reason as reason, _detail as detail, raw_object as object, raw_version as version, _line as line, _raw as raw
                  from line_record join object using (_object) where _reason is not null order by _position"""
                report.quarantine = _upload(db, lines, folder / "quarantine", "json, compression gzip", f"{self.quarantine_uri}{group.number:05d}.jsonl.gz")
            on_failure.pop_all()
        return report

    def _collect(self, group: Group, folder: Path, report: GroupReport) -> None:
        """Adds the records of all objects to one line file, an object at a time on disk."""
        path = folder / "raw"  # keys are data: no file is named by one
        lines = LineFile(folder / "lines")
        try:
            for each in group.objects:
                download(self.raw_bucket, each, path)
                report.counts[each.ordinal] = ObjectCounts(self._add(lines, each, path, folder))
        finally:
            lines.close()
        path.unlink(missing_ok=True)

    def _add(self, lines: LineFile, raw: RawObject, path: Path, folder: Path) -> int:
        if self.raw_format == "parquet":
            return lines.add(raw.ordinal, parquet_rows(path, self.fields, self.limits, folder))
        return lines.add(raw.ordinal, json_lines(raw.key, path, self.limits))

    def _load(self, db: duckdb.DuckDBPyConnection, group: Group, lines: Path) -> None:
        """Makes the tables `object` and `line_record`."""
        db.execute(self.sql.create_objects)
        db.executemany(
            "insert into object values (?, ?, ?, ?, ?)",
            [[each.ordinal, each.key, each.version_id, each.from_ms, each.to_ms] for each in group.objects],
        )
        db.execute(self.sql.create_records.replace(LINES, sql_text(str(lines))))

    def _count(self, db: duckdb.DuckDBPyConnection, group: Group, report: GroupReport) -> None:
        """@raises JobError naming an object whose records were not all judged"""
        for ordinal, reason, count in db.execute("select _object, _reason, count(*) from line_record group by all").fetchall():
            counts = report.counts[ordinal]
            if reason is None:
                counts.sound = count
            else:
                counts.quarantined[reason] = count
        for each in group.objects:
            counts = report.counts[each.ordinal]
            judged = counts.sound + sum(counts.quarantined.values())
            if counts.read != judged:
                raise JobError(
                    f"{describe(self.raw_bucket, each)} has {counts.read} records, but {judged} were judged: {counts.sound} sound, "
                    f"{judged - counts.sound} for quarantine. Nothing of its chunk is stored"
                )
        days = "select _day, count(*) from line_record where _reason is null group by _day"
        report.sound_by_day = dict(db.execute(days).fetchall())


def _upload(db: duckdb.DuckDBPyConnection, query: str, path: Path, options: str, uri: str) -> PendingObject:
    db.execute(f"copy ({query}) to {sql_text(str(path))} (format {options})")
    try:
        return upload_file(uri, path)
    finally:
        path.unlink()
