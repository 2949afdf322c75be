"""Rows of a Parquet object as the JSON lines that they stand for: activities/ledger/parquet-rows.ts once more, without its sound rows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator, Mapping, Sequence

import duckdb

from .database import open_database, sql_name, sql_text
from .limits import KEPT_RAW_BYTES, NOT_UTF8, Line, RawLimits, UnreadableObject, too_long
from .object_text import refuse_bomb
from .task import Field

_BLOCK_ROWS = 2048
_DETAIL_CHARACTERS = 300
_OBJECTS_FAULT = re.compile(r"(?!Parser|Catalog)[A-Z][A-Za-z ]* Error: ")
_MACHINE_FAULT = re.compile("cannot open file|could not open file|too many open files|no space left", re.I)


def parquet_rows(path: Path, fields: Sequence[Field], limits: RawLimits, folder: Path) -> Iterator[list[Line]]:
    """The rows in their order. A database of its own for each file: one that makes DuckDB fail internally invalidates the instance.

    @raises UnreadableObject when footer, page, compression or encryption keep it from being read within a task's memory
    """
    # By its path DuckDB would take it for a Hive partition, or find options in the file's own name.
    source = f"read_parquet({sql_text(str(path))}, hive_partitioning = false, union_by_name = false)"
    try:
        with open_database(folder, in_order=True) as db:
            types = {name: type for name, type, *_ in db.execute(f"describe select * from {source}").fetchall()}
            rows = db.execute(_rows_sql(source, fields, types, limits))
            number = size_bytes = 0
            while block := rows.fetchmany(_BLOCK_ROWS):
                size_bytes += sum(size for _, size, _ in block)
                refuse_bomb(size_bytes, limits)
                yield [
                    Line(line, text.encode(), too_long(size, limits) if is_utf8 else NOT_UTF8)
                    for line, (text, size, is_utf8) in enumerate(block, number + 1)
                ]
                number += len(block)
    except duckdb.Error as error:
        # What is thrown below DuckDB has no kind here; there it has this one.
        message = f"Invalid Error: {error}" if type(error) is duckdb.Error else str(error)
        if not _OBJECTS_FAULT.match(message) or _MACHINE_FAULT.search(message):
            raise
        raise UnreadableObject(f"no readable Parquet: {_shortened(message, str(path))}") from error


def _rows_sql(source: str, fields: Sequence[Field], types: Mapping[str, str], limits: RawLimits) -> str:
    present = {field.source: field for field in reversed(fields) if field.source in types}
    members, are_texts = [], []
    for name in dict.fromkeys(field.source for field in fields):
        if name not in present:
            continue
        column = sql_name(name)
        members.append(f"{sql_text(name)}, {_member_sql(present[name], column, types[name])}")
        if types[name] == "BLOB":
            are_texts.append(f"({column} is null or try(decode({column})) is not null)")
    return f"""select case when _size > {limits.max_line_bytes} then left(_text, {KEPT_RAW_BYTES}) else _text end, _size, _is_utf8 from (
      select json_object({", ".join(members)})::varchar as _text, strlen(_text) as _size, {" and ".join(are_texts) or "true"} as _is_utf8
      from {source})"""


def _member_sql(field: Field, column: str, type: str) -> str:
    """A Parquet column's value as its member of the JSON object: activities/ledger/parquet-member.ts."""
    if field.type == "timestamp-ms" and type.startswith("TIMESTAMP"):
        # An instant that DuckDB cannot count (infinity) is none. A fraction of a millisecond stays to be seen by the judge.
        count, per_ms = (f"epoch_ns({column})", 1_000_000) if type == "TIMESTAMP_NS" else (f"epoch_us({column})", 1_000)
        return f"try(case when {count} % {per_ms} = 0 then to_json({count} // {per_ms}) else to_json({count} / {per_ms}.0) end)"
    if type == "BLOB":
        return f"coalesce(to_json(try(decode({column}))), to_json({column}))"
    return column


def _shortened(message: str, path: str) -> str:
    """In one line, without the scratch file's name and the statement, which mean nothing tomorrow."""
    one_line = re.sub(r"\s+", " ", re.sub(r"\s+LINE \d+:.*$", "", message, flags=re.S).replace(path, "the object"))
    # As the worker counts characters; what is no ASCII ends as a question mark.
    return re.sub("[\U00010000-\U0010ffff]", "??", one_line)[:_DETAIL_CHARACTERS]
