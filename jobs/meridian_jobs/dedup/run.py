"""A dedup run from its document to its manifest: judge, compare, store."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from typing import Any, Sequence

from pyspark.sql import SparkSession

from ..document import input_uri
from ..errors import JobError
from ..once import put_manifest, run_once
from ..s3 import delete_objects, in_parallel, list_uris, parse_uri
from ..session import spark_session
from ..uploads import PendingObject, complete
from .compare import MIN_PARTITIONS, places_of, unseen_rows
from .groups import group_objects
from .judge import GroupReport, Judge, ObjectCounts
from .storage_sink import StorageSink
from .stored_file import expect_readable
from .task import DedupTask, read_task


def run_dedup(argv: Sequence[str]) -> None:
    """Idempotent by the document's `workUri`: with a manifest there, the work is done; what an earlier attempt left without one is
    cleared away.

    @param argv - the script's name and the URI of its DedupInput document
    """
    task = read_task(input_uri(argv))
    prefixes = (task.work_uri, task.quarantine_uri, *(task.storage_stem(event_date) for event_date in task.seen))

    def work() -> None:
        with spark_session(task.cycle_id, MIN_PARTITIONS, sedona=False) as spark:
            run = _Run(spark, task)
            try:
                put_manifest(task.manifest_uri, run.manifest())
            except BaseException:
                run.undo()
                raise
            run.clear()

    run_once(task.manifest_uri, prefixes, work)


class _Run:
    def __init__(self, spark: SparkSession, task: DedupTask) -> None:
        self._spark = spark
        self._task = task
        self._completed: list[str] = []
        self._judged: list[str] = []

    def manifest(self) -> dict[str, Any]:
        """Does the work. @returns `DedupManifest` of domain/documents.ts"""
        reports = self._judge()
        quarantine = [report.quarantine for report in reports if report.quarantine is not None]
        judged = [report.judged for report in reports if report.judged is not None]
        self._complete(judged)
        self._judged = [each.uri for each in judged]
        sound_by_day = sum((Counter(report.sound_by_day) for report in reports), Counter())
        files, stored = self._store(sound_by_day) if judged else ([], Counter())
        self._complete([*quarantine, *(PendingObject(**file["object"]) for file in files)])
        in_parallel(lambda file: expect_readable(file["object"]["uri"], file["rows"], file["object"]["size_bytes"]), files)
        return {
            "attempt": self._task.attempt,
            "objects": self._object_counts(reports, stored),
            "files": sorted((_storage_file(file) for file in files), key=lambda file: file["key"]),
            "quarantineFiles": sorted(parse_uri(each.uri).key for each in quarantine),
        }

    def clear(self) -> None:
        """What only the run itself needed. Best effort: it expires anyway."""
        with suppress(Exception):
            delete_objects(self._judged)

    def undo(self) -> None:
        """Takes back what became visible, best effort; unless another attempt's manifest, which names the same files, is there."""
        with suppress(Exception):
            if not any(uri == self._task.manifest_uri for uri in list_uris(self._task.manifest_uri)):
                in_parallel(lambda uri: delete_objects([uri]), self._completed)

    def _judge(self) -> list[GroupReport]:
        context = self._spark.sparkContext
        groups = group_objects(self._task.objects, context.defaultParallelism)
        if not groups:
            return []
        reports = context.parallelize(groups, len(groups)).map(Judge.of(self._task)).collect()
        faults = [report.fault for report in reports if report.fault is not None]
        if faults:
            raise JobError("; ".join(faults))
        return reports

    def _store(self, sound_by_day: Counter[int]) -> tuple[list[dict[str, Any]], Counter[int]]:
        """@returns what was written and is to be completed, and rows by object"""
        places = places_of(self._task, sound_by_day)
        rows = unseen_rows(self._spark, self._task, self._judged, places)
        sink = StorageSink.of(self._task, places)
        reports = [json.loads(row.report) for row in rows.mapInArrow(sink, "report string").collect()]
        stored: Counter[int] = Counter()
        for report in reports:
            stored.update({int(ordinal): count for ordinal, count in report["stored"].items()})
        return [file for report in reports for file in report["files"]], stored

    def _complete(self, objects: Sequence[PendingObject]) -> None:
        self._completed.extend(each.uri for each in objects)  # before: a failure in between is taken back whole
        in_parallel(complete, objects)

    def _object_counts(self, reports: Sequence[GroupReport], stored: Counter[int]) -> list[dict[str, Any]]:
        """`RecordCounts` of each object. @raises JobError when more was stored of one than was sound"""
        judged = {ordinal: counts for report in reports for ordinal, counts in report.counts.items()}
        found = []
        for each in self._task.objects:
            counts = judged.get(each.ordinal, ObjectCounts(0))
            if stored[each.ordinal] > counts.sound:
                raise JobError(
                    f"Object {each.ordinal}, {each.key}, has {counts.sound} sound records, but {stored[each.ordinal]} were stored: "
                    "the comparison doubled rows"
                )
            found.append(
                {
                    "read": counts.read,
                    "stored": stored[each.ordinal],
                    "duplicates": counts.sound - stored[each.ordinal],
                    "quarantined": counts.quarantined,
                }
            )
        return found


def _storage_file(file: dict[str, Any]) -> dict[str, Any]:
    """`StorageFile` of domain/documents.ts"""
    key = parse_uri(file["object"]["uri"]).key
    return {"key": key, "eventDate": file["eventDate"], "rowCount": file["rows"], "sizeBytes": file["object"]["size_bytes"]}
