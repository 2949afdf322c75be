"""The rows of a catalog table as DuckDB sees them: the Parquet files of the partitions that a predicate takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from dqdl import EvaluationError, Frame
from local_aws import Refused, glue, list_uris, read_object


@dataclass(frozen=True)
class Partition:
    values: tuple[str, ...]
    location: str


def matching_partitions(database: str, table_name: str, predicate: str | None) -> list[Partition]:
    """@raises EvaluationError when the table is not there or the predicate is not one over its partition columns"""
    try:
        table = glue("GetTable", {"DatabaseName": database, "Name": table_name})["Table"]
    except Refused as error:
        if "EntityNotFoundException" not in str(error):
            raise
        raise EvaluationError(f"Table {database}.{table_name} is not in the catalog") from None
    keys = [(key["Name"], key.get("Type", "string")) for key in table.get("PartitionKeys") or []]
    if not keys:
        raise EvaluationError(f"Table {database}.{table_name} has no partition columns: the scripted evaluator reads partitions")
    partitions = [Partition(tuple(each["Values"]), each["StorageDescriptor"]["Location"]) for each in _partitions(database, table_name)]
    if not predicate or not partitions:
        return partitions
    # The emulator's GetPartitions ignores Expression.
    db = duckdb.connect(config={"threads": 1})
    columns = ", ".join(f'"{name}" {"varchar" if kind == "string" else kind}' for name, kind in keys)
    db.execute(f"create table partition (_at integer, {columns})")
    marks = ", ".join("?" * (len(keys) + 1))
    db.executemany(f"insert into partition values ({marks})", [(at, *each.values) for at, each in enumerate(partitions)])
    try:
        taken = db.execute(f"select _at from partition where {predicate} order by _at").fetchall()
    except duckdb.Error as error:
        message = str(error).splitlines()[0]
        raise EvaluationError(f"Predicate {predicate!r} cannot be evaluated over partition columns {[k for k, _ in keys]}: {message}") from None
    return [partitions[at] for (at,) in taken]


def open_frame(partitions: list[Partition], folder: str) -> Frame:
    """All rows of these partitions as view `primary`. @param folder - for the files, until the frame is no longer used"""
    paths: list[str] = []
    for partition in partitions:
        for uri in list_uris(partition.location.rstrip("/") + "/"):
            path = Path(folder) / f"{len(paths)}.parquet"
            path.write_bytes(read_object(uri))
            paths.append(str(path))
    db = duckdb.connect(config={"threads": 1})
    if not paths:
        return Frame(db, 0, frozenset())
    quoted = ", ".join("'" + path.replace("'", "''") + "'" for path in paths)
    db.execute(f"create view \"primary\" as select * from read_parquet([{quoted}], union_by_name = true, hive_partitioning = false)")
    columns = frozenset(row[0] for row in db.execute('describe "primary"').fetchall())
    return Frame(db, db.execute('select count(*) from "primary"').fetchall()[0][0], columns)


def _partitions(database: str, table: str) -> list[dict[str, Any]]:
    request: dict[str, Any] = {"DatabaseName": database, "TableName": table}
    found: list[dict[str, Any]] = []
    while True:
        page = glue("GetPartitions", request)
        found += page["Partitions"]
        if not page.get("NextToken"):
            return found
        request["NextToken"] = page["NextToken"]
