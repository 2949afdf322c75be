"""In place of spark-submit: a transform is done by a script (transform.py); a dedup decides what is stored, and runs on Spark itself."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Sequence

import transform


def main(argv: Sequence[str]) -> None:
    entry_point = argv[-2]
    if Path(entry_point).name == "dedup.py":
        submit = Path(os.environ["SPARK_HOME"]) / "bin" / "spark-submit"
        os.execv(submit, [str(submit), *argv[1:]])
    transform.main(argv)


if __name__ == "__main__":
    main(sys.argv)
