"""Loads COPY parts into a real PostgreSQL and says, byte for byte, what arrived; and the same of Parquet."""

from __future__ import annotations

import struct
from typing import Any
from uuid import uuid4

import pyarrow as pa
from meridian_jobs.s3 import read_object

from .postgres import Postgres

_TO_TEXT = {
    "timestamptz": "(extract(epoch from {0}) * 1000000)::bigint::text",
    "text": "encode(convert_to({0}, 'UTF8'), 'hex')",
    "bigint": "encode(int8send({0}), 'hex')",
    "integer": "encode(int4send({0}), 'hex')",
    "double precision": "encode(float8send({0}), 'hex')",
}


def load(postgres: Postgres, relation: dict[str, Any]) -> str:
    """Creates a table of the manifest's columns and copies every part in, each alone. @returns its name"""
    table = f"candidate_{uuid4().hex[:8]}"
    columns = ", ".join(f'"{column["name"]}" {column["type"]}' for column in relation["columns"])
    postgres.run(f"create table {table} ({columns})")
    for part in relation["copyParts"]:
        before = int(postgres.run(f"select count(*) from {table}"))
        postgres.run(f"copy {table} from stdin (format binary)", stdin=read_object(part["uri"]))
        assert int(postgres.run(f"select count(*) from {table}")) - before == part["rows"]
    return table


def rows_in_postgres(postgres: Postgres, relation: dict[str, Any], table: str) -> list[tuple[str, ...]]:
    fields = ", ".join(
        f"coalesce({_TO_TEXT.get(column['type'], _EWKB).format(column['name'])}, 'null')" for column in relation["columns"]
    )
    text = postgres.run(f"select concat_ws('|', {fields}) from {table}").decode()
    return sorted(tuple(line.split("|")) for line in text.splitlines())


_EWKB = "encode(ST_AsEWKB({0}, 'NDR'), 'hex')"


def rows_in_parquet(relation: dict[str, Any], table: pa.Table) -> list[tuple[str, ...]]:
    columns = [
        [_canonical(column["type"], value) for value in _plain(table.column(column["name"]))]
        for column in relation["columns"]
    ]
    return sorted(zip(*columns))


def _plain(column: pa.ChunkedArray) -> list[Any]:
    return (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()


def _canonical(declared: str, value: Any) -> str:
    if value is None:
        return "null"
    if declared == "timestamptz":
        return str(value)
    if declared == "text":
        return value.encode().hex()
    if declared.startswith("geometry("):
        return value.hex()
    return struct.pack({"bigint": ">q", "integer": ">i", "double precision": ">d"}[declared], value).hex()
