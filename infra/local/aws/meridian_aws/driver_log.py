"""What a driver's log says of its failure."""

from __future__ import annotations

import re
from pathlib import Path

# boto3 names an exception after the error's code, such as botocore.errorfactory.AccessDenied.
_EXCEPTION = re.compile(r"^(?:Caused by: |Exception in thread \S+ )?"
                        r"((?:botocore\.errorfactory\.\w+|(?:[a-z_][\w$]*\.)*[A-Z][\w$.]*(?:Error|Exception|Exit|Interrupt))\b.*)$")


def last_exception(folder: Path) -> str:
    """The script's own exception, from the log in a run's folder."""
    lines: list[str] = []
    # A Python driver's traceback goes to standard output: Spark merges both of its streams there.
    for name in ("stderr", "stdout"):
        try:
            lines += (folder / name).read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
    found = [match.group(1) for line in lines if (match := _EXCEPTION.match(line.strip()))]
    # The JVM reports every failed script once more; the script's own exception says more.
    useful = [line for line in found if "SparkUserAppException" not in line]
    return (useful or found or ["none found"])[-1]
