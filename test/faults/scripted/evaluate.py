"""In place of the rule evaluator: the protocol of `meridian_aws.quality_evaluator`, evaluated by DuckDB without a JVM.

Outcomes, named by `faults/<pipeline>.json` (see options.py); pipeline and night are read from the partitions' locations:

  pass          the default: whatever the rules say of the rows
  fail-rule     the first rule is FAIL
  error-rule    the last rule is ERROR
  missing-rule  the last rule is not in the reply
  no-rows       no rule has the row count among its metrics
  wrong-count   the row count is one less
  error         the run is FAILED
"""

from __future__ import annotations

import json
import os
import re
import socket
from tempfile import TemporaryDirectory
from typing import Any

from dqdl import EvaluationError, Result, evaluate_rule
from local_aws import list_buckets, read_json_if_present
from meridian_aws.dqdl_text import rules_of
from options import Options, faults_uri, parse_options
from table import Partition, matching_partitions, open_frame

OUTCOMES = ("pass", "fail-rule", "error-rule", "missing-rule", "no-rows", "wrong-count", "error")
ROW_COUNT = "Dataset.*.RowCount"
STEPS = ("added", "served")


def evaluate(request: dict[str, Any]) -> dict[str, list[Result]]:
    """Every ruleset over one frame; what the scenario wants otherwise is changed afterwards."""
    partitions = matching_partitions(request["database"], request["table"], request.get("predicate"))
    night = night_options(partitions)
    results: dict[str, list[Result]] = {}
    with TemporaryDirectory(dir=".") as folder:
        frame = open_frame(partitions, folder)
        for name, text in request["rulesets"].items():
            options = parse_options(of_step(night, name), OUTCOMES)
            options.sleep()
            results[name] = as_wanted(options, [evaluate_rule(frame, rule) for rule in rules_of(text)])
    return results


def night_options(partitions: list[Partition]) -> dict[str, Any]:
    """`check` of the night whose rows these are, of `s3://<bucket>/<pipeline>/<compact interval end>/g<generation>/…`."""
    for partition in partitions:
        match = re.fullmatch(r"s3://[^/]+/([^/]+)/(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z/g\d+/.*", partition.location)
        if match is None:
            continue
        pipeline, year, month, day, hour, minute, second = match.groups()
        # The request does not say which bucket is the artifacts'.
        for bucket in sorted(list_buckets(), key=lambda name: "artifacts" not in name):
            nights = read_json_if_present(faults_uri(bucket, pipeline))
            if nights is not None:
                return dict(nights.get(f"{year}-{month}-{day}T{hour}:{minute}:{second}Z", {}).get("check") or {})
        return {}
    return {}


def of_step(night: dict[str, Any], ruleset: str) -> dict[str, Any]:
    """Rulesets are named `<pipeline>-<step>-<hash>`."""
    if not any(step in night for step in STEPS):
        return night
    if unknown := set(night) - set(STEPS):
        raise EvaluationError(f"The night's check names steps and also {', '.join(sorted(unknown))}: expected one or the other")
    return dict(next((night[step] for step in STEPS if step in night and f"-{step}-" in ruleset), {}))


def as_wanted(options: Options, results: list[Result]) -> list[Result]:
    wanted = "The scenario wants it so"
    match options.outcome:
        case "fail-rule":
            return [{**results[0], "result": "FAIL", "message": wanted}, *results[1:]]
        case "error-rule":
            return [*results[:-1], {**results[-1], "result": "ERROR", "metrics": {}, "message": wanted}]
        case "missing-rule":
            return results[:-1]
        case "no-rows":
            return [{**each, "metrics": {name: value for name, value in each["metrics"].items() if name != ROW_COUNT}} for each in results]
        case "wrong-count":
            return [{**each, "metrics": {name: value - (name == ROW_COUNT) for name, value in each["metrics"].items()}} for each in results]
        case "error":
            raise EvaluationError(wanted)
    return results


def main() -> None:
    """Serves until the emulator closes its end."""
    channel = socket.socket(fileno=int(os.environ["MERIDIAN_PASS_FD"]))
    requests, replies = channel.makefile("r"), channel.makefile("w")
    for line in requests:
        try:
            reply: dict[str, Any] = {"results": evaluate(json.loads(line))}
        except EvaluationError as error:
            reply = {"error": str(error)}
        except Exception as error:  # the run fails, as it does with the real evaluator
            reply = {"error": f"{type(error).__name__}: {str(error)[:2000]}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
