"""What a scenario asks of a night: `faults/<pipeline>.json`, by interval end, in the artifacts bucket.

    {"2024-01-02T00:00:00Z": {"transform": {"seconds": 2, "outcome": "fail"},
                              "check": {"outcome": "fail-rule"}}}

`check` may name its steps: `{"added": {…}, "served": {…}}`. What is not named has no delay and the first outcome.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Sequence


@dataclass(frozen=True)
class Options:
    """@param extra - what is special to one outcome"""

    outcome: str
    seconds: float
    extra: dict[str, Any]

    def sleep(self) -> None:
        """Ends at once by SIGTERM, as a cancel sends it."""
        if self.seconds > 0:
            time.sleep(self.seconds)


def faults_uri(bucket: str, pipeline: str) -> str:
    return f"s3://{bucket}/faults/{pipeline}.json"


def parse_options(given: Any, outcomes: Sequence[str]) -> Options:
    """@param outcomes - the known ones, the default first. @raises ValueError for any other: a typing error must not pass as no fault"""
    options = dict(given or {})
    outcome, seconds = options.pop("outcome", outcomes[0]), options.pop("seconds", 0)
    if outcome not in outcomes:
        raise ValueError(f'Outcome "{outcome}" is not known: expected one of {", ".join(outcomes)}')
    return Options(outcome, float(seconds), options)
