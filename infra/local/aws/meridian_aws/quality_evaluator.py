"""The warm evaluator: one Spark process that reads a catalog table and evaluates DQDL over it with Deequ.

Runs as ``python -m meridian_aws.quality_evaluator``; requests and replies are JSON lines on the socket that
``MERIDIAN_PASS_FD`` names. A request: ``database``, ``table``, ``predicate`` (over partition columns, or null),
``rulesets`` (name to DQDL). A reply: ``results`` (ruleset to rules in order), or ``error``.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any

import boto3
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from .dqdl_text import rules_of
from .local_s3 import split_s3_uri

Rule = dict[str, Any]


class EvaluationError(Exception):
    """The table, the predicate or the ruleset cannot be evaluated; the run fails with this message."""


def evaluate(spark: SparkSession, glue: Any, s3: Any, request: dict[str, Any]) -> dict[str, list[Rule]]:
    """Evaluates every ruleset over one frame."""
    frame = read_table(spark, glue, s3, request["database"], request["table"], request.get("predicate"))
    frame.createOrReplaceTempView("primary")
    return {name: evaluate_ruleset(spark, frame, text) for name, text in request["rulesets"].items()}


def read_table(spark: SparkSession, glue: Any, s3: Any, database: str, table_name: str, predicate: str | None) -> DataFrame:
    """The table as its catalog entry describes it: declared columns, partition columns last, matching partitions only."""
    try:
        table = glue.get_table(DatabaseName=database, Name=table_name)["Table"]
    except glue.exceptions.EntityNotFoundException:
        raise EvaluationError(f"Table {database}.{table_name} is not in the catalog") from None
    descriptor = table["StorageDescriptor"]
    keys = [(key["Name"], key.get("Type", "string")) for key in table.get("PartitionKeys") or []]
    columns = ", ".join(f"`{column['Name']}` {column['Type']}" for column in descriptor["Columns"])
    if not keys:
        if predicate:
            raise EvaluationError(f"Table {database}.{table_name} has no partition columns, but a predicate was given: {predicate}")
        places = [([], descriptor["Location"])]
    else:
        places = _matching_partitions(spark, glue, database, table_name, keys, predicate)
    frames = []
    for values, location in places:
        # A partition of nothing has no folder in S3, where Spark would expect one.
        if not _has_objects(s3, location):
            continue
        literals: list[Column] = [F.lit(value).cast(kind).alias(name) for value, (name, kind) in zip(values, keys, strict=True)]
        frames.append(spark.read.schema(columns).parquet(location).select("*", *literals))
    if not frames:
        empty = spark.createDataFrame([], columns)
        return empty.select("*", *[F.lit(None).cast(kind).alias(name) for name, kind in keys])
    whole = frames[0]
    for frame in frames[1:]:
        whole = whole.unionByName(frame)
    return whole


def _has_objects(s3: Any, location: str) -> bool:
    bucket, prefix = split_s3_uri(location)
    return bool(s3.list_objects_v2(Bucket=bucket, Prefix=prefix.rstrip("/") + "/", MaxKeys=1).get("KeyCount"))


def _matching_partitions(spark: SparkSession, glue: Any, database: str, table: str, keys: list[tuple[str, str]],
                         predicate: str | None) -> list[tuple[list[str], str]]:
    pages = glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=table)
    partitions = [(p["Values"], p["StorageDescriptor"]["Location"]) for page in pages for p in page["Partitions"]]
    if not predicate or not partitions:
        return partitions
    # The emulator's GetPartitions ignores Expression, so Spark evaluates the predicate, over the values alone.
    schema = StructType([StructField(f"v{at}", StringType()) for at in range(len(keys) + 1)])
    rows = spark.createDataFrame([(*values, str(at)) for at, (values, _) in enumerate(partitions)], schema)
    typed = rows.select(*[F.col(f"v{at}").cast(kind).alias(name) for at, (name, kind) in enumerate(keys)],
                        F.col(f"v{len(keys)}").alias("__index"))
    try:
        matching = typed.where(predicate).select("__index").collect()
    except Exception as error:
        raise EvaluationError(f"Predicate {predicate!r} cannot be evaluated over partition columns {[k for k, _ in keys]}: "
                              f"{str(error).splitlines()[0]}") from None
    return [partitions[int(row[0])] for row in matching]


def evaluate_ruleset(spark: SparkSession, frame: DataFrame, ruleset: str) -> list[Rule]:
    """One entry a rule, in the ruleset's order, which Deequ's own output does not keep."""
    try:
        rules = list(spark._jvm.software.amazon.glue.dqdl.parser.DQDLParser().parse(ruleset).getRules())
        rows = DataFrame(spark._jvm.com.amazon.deequ.dqdl.EvaluateDataQuality.process(frame._jdf, ruleset), spark).collect()
    except Exception as error:
        cause = getattr(error, "java_exception", None)
        raise EvaluationError(f"Ruleset cannot be evaluated: {cause.getMessage() if cause is not None else error}") from None
    outcomes = {row["Rule"]: row for row in rows}
    ranges = _value_ranges(frame, rules)
    written = rules_of(ruleset)
    if len(written) != len(rules):  # comments, for one: then the parser's own spelling has to do
        written = [rule.toString() for rule in rules]
    results: list[Rule] = []
    for rule, as_written in zip(rules, written, strict=True):
        text = rule.toString()
        row = outcomes.get(text)
        if row is None:
            result = rule_result(text, "Failed", "The evaluation gave no outcome for this rule", {})
        else:
            result = rule_result(text, row["Outcome"], row["FailureReason"], {**ranges.get(text, {}), **(row["EvaluatedMetrics"] or {})})
        results.append({**result, "description": as_written})
    return results


def rule_result(rule: str, outcome: str, reason: str | None, metrics: dict[str, float]) -> Rule:
    """PASS only with evidence: an outcome without any metric is an ERROR, whatever it says."""
    unevaluated = any(sign in (reason or "") for sign in _NOT_EVALUATED)
    if not metrics or unevaluated:
        return {"rule": rule, "result": "ERROR", "metrics": metrics, "message": reason or f"The evaluation said {outcome} but gave no metric"}
    if outcome == "Passed":
        return {"rule": rule, "result": "PASS", "metrics": metrics, "message": None}
    return {"rule": rule, "result": "FAIL", "metrics": metrics, "message": reason or f"The evaluation said {outcome}"}


_NOT_EVALUATED = ("Can't execute the assertion", "not supported", "does not include column", "Empty state for analyzer")


def _value_ranges(frame: DataFrame, rules: list[Any]) -> dict[str, dict[str, float]]:
    """Minimum and Maximum of the columns that ``ColumnValues`` rules look at, as Glue reports them.

    Deequ evaluates those over numbers without any metric; here they are also the evidence that values were there.
    """
    kinds = dict(frame.dtypes)
    wanted: list[tuple[str, str, str | None]] = []
    for rule in rules:
        for part in [rule, *rule.getNestedRulesAsFlattenedList()]:
            column = part.getParameters().get("TargetColumn") if part.getRuleType() == "ColumnValues" else None
            if column is not None and kinds.get(column.strip('"'), "string") not in ("string", "boolean", "binary"):
                wanted.append((rule.toString(), column.strip('"'), part.getWhereClause()))
    ranges: dict[str, dict[str, float]] = {}
    if not wanted:
        return ranges
    aggregates: list[Column] = []
    for at, (_, name, where) in enumerate(wanted):
        value = F.col(f"`{name}`")
        number = value.cast("timestamp").cast("double") if kinds[name] == "date" else value.cast("double")
        counted = F.when(F.expr(where), number) if where else number
        aggregates += [F.min(counted).alias(f"min{at}"), F.max(counted).alias(f"max{at}")]
    row = frame.agg(*aggregates).first()
    for at, (text, name, _) in enumerate(wanted):
        if row is not None and row[f"min{at}"] is not None and row[f"max{at}"] is not None:
            ranges.setdefault(text, {}).update({f"Column.{name}.Minimum": row[f"min{at}"], f"Column.{name}.Maximum": row[f"max{at}"]})
    return ranges


def main() -> None:
    """Serves until the emulator closes its end."""
    channel = socket.socket(fileno=int(os.environ["MERIDIAN_PASS_FD"]))
    requests, replies = channel.makefile("r"), channel.makefile("w")
    spark = SparkSession.builder.appName("glue-data-quality").getOrCreate()
    glue, s3 = boto3.client("glue"), boto3.client("s3")
    for line in requests:
        try:
            reply: dict[str, Any] = {"results": evaluate(spark, glue, s3, json.loads(line))}
        except EvaluationError as error:
            reply = {"error": str(error)}
        except Exception as error:  # Spark reports unreadable files through many classes; the run fails with any of them
            reply = {"error": f"{type(error).__name__}: {str(error)[:2000]}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
