"""Starts processes that end with the emulator, see ``guard``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from . import guard

Process = subprocess.Popen[bytes]


def start_guarded(command: list[str], environment: dict[str, str], folder: Path, pass_fd: int | None = None) -> Process:
    """Starts a command in its folder, where ``stdout`` and ``stderr`` take what it says, after what is there.

    :param pass_fd: a file descriptor that the command gets, named by ``MERIDIAN_PASS_FD``
    """
    passed = {} if pass_fd is None else {"MERIDIAN_PASS_FD": str(pass_fd)}
    with (folder / "stdout").open("ab") as stdout, (folder / "stderr").open("ab") as stderr:
        return subprocess.Popen([sys.executable, "-S", str(Path(guard.__file__)), *command], stdin=subprocess.PIPE, stdout=stdout, stderr=stderr,
                                env={**environment, **passed}, cwd=folder, pass_fds=[] if pass_fd is None else [pass_fd],
                                start_new_session=True)
