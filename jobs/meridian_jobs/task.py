"""The document that a job is given: what to read, what to join, where to write. Its one argument is the document's URI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from .document import DocumentReader, read_document


@dataclass(frozen=True)
class InputFile:
    uri: str
    row_count: int
    added: bool


@dataclass(frozen=True)
class TransformTask:
    """`TransformInput` of domain/documents.ts."""

    cycle_id: str
    generation: int
    files: tuple[InputFile, ...]
    row_count: int
    added_row_count: int
    references: Mapping[str, str]
    output_uri: str
    quarantine_uri: str
    refresh_by: Mapping[str, str]
    """Relation, as the job calls it: the column by whose UTC day its rows are written apart; none of a pipeline that is built whole."""
    days: int
    """UTC days that the files hold; 0 of a pipeline that is built whole."""

    @property
    def manifest_uri(self) -> str:
        return f"{self.output_uri}_manifest.json"


def read_task(uri: str) -> TransformTask:
    """@raises JobError with every fault of the document at once"""
    return parse_task(read_document(uri), uri)


def parse_task(document: Any, uri: str) -> TransformTask:
    reader = DocumentReader(uri)
    take, take_uri, faults = reader.take, reader.take_uri, reader.faults
    files = tuple(
        InputFile(
            take_uri(each, "uri", f"files[{index}]."),
            take(each, "rowCount", int, f"files[{index}]."),
            take(each, "added", bool, f"files[{index}]."),
        )
        for index, each in enumerate(take(document, "files", list))
    )
    references = take(document, "references", dict)
    refresh = document.get("refresh") if isinstance(document, dict) else None
    columns = {} if refresh is None else take(refresh, "columns", dict, "refresh.")
    task = TransformTask(
        cycle_id=take(document, "cycleId", str),
        generation=take(take(document, "cycle", dict), "generation", int, "cycle."),
        files=files,
        row_count=take(document, "rowCount", int),
        added_row_count=take(document, "addedRowCount", int),
        references={name: take_uri(references, name, "references.") for name in references},
        output_uri=take_uri(document, "outputUri", folder=True),
        quarantine_uri=take_uri(document, "quarantineUri", folder=True),
        days=0 if refresh is None else len(take(refresh, "rebuilt", list, "refresh.")),
        refresh_by={name: take(columns, name, str, "refresh.columns.") for name in columns},
    )
    listed = sum(file.row_count for file in files)
    if listed != task.row_count:
        faults.append(f"rowCount: expected {listed}, the sum over files, found {task.row_count}")
    listed_added = sum(file.row_count for file in files if file.added)
    if listed_added != task.added_row_count:
        faults.append(f"addedRowCount: expected {listed_added}, the sum over added files, found {task.added_row_count}")
    if len({file.uri for file in files}) != len(files):
        faults.append("files: the same file is listed twice")
    reader.expect_none_wrong()
    return task
