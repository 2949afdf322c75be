"""A job from its input document to its manifest. What is special about a job is its SQL; the rest is here."""

from __future__ import annotations

from typing import Any, Callable, Sequence

from pyspark.sql import DataFrame, SparkSession

from .document import input_uri
from .errors import JobError
from .once import put_manifest, run_once
from .outputs import Relation, write_relation
from .quarantine import REASON, write_quarantine
from .records import InputCounts, count_input, read_storage, with_points
from .references import read_reference
from .session import partitions_for, spark_session
from .task import TransformTask, read_task

__all__ = ["Relation", "TransformJob", "run"]


class TransformJob:
    def __init__(self, spark: SparkSession, task: TransformTask) -> None:
        self.spark = spark
        self.task = task
        self._input: InputCounts | None = None
        self._quarantine_files: list[str] = []
        self._relations: list[dict[str, Any]] = []

    def read_records(self, longitude: str = "longitude", latitude: str = "latitude") -> DataFrame:
        """The stored records that have a place, with it as `geom`; also the view `records` for SQL.

        The others go to quarantine with the reason. @raises JobError when storage has not the rows that the document says
        """
        storage = read_storage(self.spark, self.task, longitude, latitude)
        self._input = count_input(storage, self.task)
        if self._input.faulty > 0:
            written, self._quarantine_files = write_quarantine(
                storage.where("fault is not null"), self.task.quarantine_uri
            )
            _expect("records in quarantine", self._input.faulty, written)
        records = with_points(storage, longitude, latitude)
        records.createOrReplaceTempView("records")
        return records

    def read_reference(self, name: str) -> DataFrame:
        """Named areas: `name`, `area` (square degrees), and `geometry`, a row for each polygon; also a view of that name."""
        reference = read_reference(self.spark, self.task, name)
        reference.createOrReplaceTempView(f"`{name}`")
        return reference

    def sql(self, query: str) -> DataFrame:
        return self.spark.sql(query)

    def write_relation(self, df: DataFrame, relation: Relation) -> None:
        """Writes Parquet and COPY parts. @raises JobError when a relation with one row a record lost or doubled some"""
        written = write_relation(df, relation, self.task)
        if relation.per_record:
            valid = self._read_input()
            _expect(f'rows of "{relation.name}"', valid.rows - valid.faulty, written["rows"])
            _expect(f'added rows of "{relation.name}"', valid.added - valid.faulty_added, written["addedRows"])
        self._relations.append(written)

    def finish(self) -> None:
        """Writes the manifest, last: until then the output does not count."""
        counted = self._read_input()
        manifest = {
            "inputRows": counted.rows,
            "quarantined": {REASON: counted.faulty} if counted.faulty > 0 else {},
            "quarantineFiles": self._quarantine_files,
            "relations": self._relations,
        }
        put_manifest(self.task.manifest_uri, manifest)

    def _read_input(self) -> InputCounts:
        if self._input is None:
            raise JobError("The job has not read its records: call read_records first")
        return self._input


def run(steps: Callable[[TransformJob], None], argv: Sequence[str]) -> None:
    """Runs a job's steps between its document and its manifest. Idempotent by the document's `outputUri`: with a manifest
    there, the work is done; what an earlier attempt left without one is cleared away.

    @param argv - the script's name and the URI of its TransformInput document
    """
    task = read_task(input_uri(argv))

    def work() -> None:
        with spark_session(task.cycle_id, partitions_for(task.row_count), sedona=True) as spark:
            job = TransformJob(spark, task)
            steps(job)
            job.finish()

    run_once(task.manifest_uri, (task.output_uri, task.quarantine_uri), work)


def _expect(what: str, expected: int, found: int) -> None:
    if expected != found:
        raise JobError(f"Expected {expected} {what} from what was read, but {found} were written: a join lost or doubled rows")
