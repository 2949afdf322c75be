"""The worker's engine in a task: DuckDB, of the same version, in bounded memory."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Iterator

import duckdb

from ..errors import JobError

WORKER_DUCKDB = "1.5.5"
"""Another version may judge a record otherwise. test/dedup/job-sql.test.ts holds it to package.json."""

MEMORY = "512MiB"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that is gone however the block ends."""
    with TemporaryDirectory(prefix="meridian-dedup-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def open_database(folder: Path, in_order: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A private database, which spills to `folder`. @param in_order - rows keep the order of the file that they are read from
    @raises JobError when it is not the worker's DuckDB"""
    if duckdb.__version__ != WORKER_DUCKDB:
        raise JobError(
            f"DuckDB {WORKER_DUCKDB} is expected, as the worker has it; found {duckdb.__version__}: build the image anew from jobs/Dockerfile"
        )
    config = {
        "threads": "1",  # a task has one core
        "memory_limit": MEMORY,
        "temp_directory": str(folder / "spill"),
        "preserve_insertion_order": str(in_order).lower(),
        "autoinstall_known_extensions": "false",  # nothing is fetched at run time
    }
    with duckdb.connect(":memory:", config=config) as db:
        db.execute("set TimeZone = 'UTC'")
        yield db


def sql_text(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"


def sql_name(name: str) -> str:
    """A quoted identifier."""
    return '"' + name.replace('"', '""') + '"'
