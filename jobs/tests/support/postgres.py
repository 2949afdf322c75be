"""A private PostgreSQL with PostGIS for one test session."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

DATABASE = "postgres"


class Postgres:
    """psql against the private cluster, over its socket."""

    def __init__(self, bin_folder: Path, socket_folder: Path) -> None:
        self._bin = bin_folder
        self._socket = socket_folder

    def run(self, sql: str, stdin: bytes | None = None) -> bytes:
        """@param stdin - what `COPY … FROM STDIN` takes @returns stdout"""
        command = [
            str(self._bin / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
            "-h", str(self._socket), "-U", "tests", "-d", DATABASE, "-c", sql,
        ]  # fmt: skip
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=120)
        if done.returncode != 0:
            raise AssertionError(f"psql refused {sql[:200]}: {done.stderr.decode()}")
        return done.stdout

    def json_rows(self, query: str) -> list[str]:
        return self.run(query).decode().splitlines()


@contextmanager
def private_postgres() -> Iterator[Postgres]:
    bin_folder = _find_binaries()
    folder = Path(tempfile.mkdtemp(prefix="jobs-postgres-"))
    data, account = folder / "data", _unprivileged_account()
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)

    def run_as(*command: str) -> None:
        drop = {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, **drop)
        if done.returncode != 0:
            log = folder / "log"
            raise RuntimeError(f"{command[0]} failed: {done.stderr}{log.read_text() if log.exists() else ''}")

    try:
        run_as(str(bin_folder / "initdb"), "-D", str(data), "-U", "tests", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        run_as(str(bin_folder / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            postgres = Postgres(bin_folder, folder)
            postgres.run("create extension postgis")
            yield postgres
        finally:
            run_as(str(bin_folder / "pg_ctl"), "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _find_binaries() -> Path:
    given = os.environ.get("MERIDIAN_POSTGRES_BIN")
    if given:
        return Path(given)
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    on_path = shutil.which("initdb")
    if not installed and on_path is None:
        raise RuntimeError("PostgreSQL is not here: set MERIDIAN_POSTGRES_BIN to the folder with initdb, pg_ctl and psql")
    return installed[-1] if installed else Path(str(on_path)).parent


def _unprivileged_account() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("running as root, and there is neither an account postgres nor nobody for PostgreSQL")
