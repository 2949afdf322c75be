"""The DQDL rules that pipelines of the fault harness use, with verdicts, metrics and their names as Deequ 2.1 gives them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Callable

import duckdb

Result = dict[str, Any]
"""As `quality_evaluator` gives it: rule, description, result, metrics, message."""

_NUMBER = r"-?\d+(?:\.\d+)?"
_CONDITION = rf"(?P<between>between\s+(?P<low>{_NUMBER})\s+and\s+(?P<high>{_NUMBER}))|(?P<operator>>=|<=|=|>|<)\s*(?P<value>{_NUMBER})"
_RULE = re.compile(rf'(?P<kind>\w+)(?P<columns>(?:\s+"[^"]+")*)(?:\s+(?:{_CONDITION}))?')


class EvaluationError(Exception):
    """The table, the predicate or the ruleset cannot be evaluated; the run fails with this message."""


@dataclass(frozen=True)
class Frame:
    """View `primary` of `db`; there is none when no file was found."""

    db: duckdb.DuckDBPyConnection
    rows: int
    columns: frozenset[str]

    def numbers(self, select: str) -> list[Any]:
        return list(self.db.execute(f'select {select} from "primary"').fetchall()[0])


@dataclass(frozen=True)
class Found:
    metrics: dict[str, float]
    passed: bool
    message: str


def evaluate_rule(frame: Frame, written: str) -> Result:
    """PASS only with evidence. @raises EvaluationError for a rule that this evaluator does not know: nothing is passed unseen"""
    match = _RULE.fullmatch(written.strip())
    kind = None if match is None else match["kind"]
    if match is None or kind not in _KINDS:
        raise EvaluationError(f"The scripted evaluator does not know the rule {written!r}: it knows {', '.join(_KINDS)}")
    columns = re.findall(r'"([^"]+)"', match["columns"])
    base = {"rule": written, "description": written}
    absent = [column for column in columns if column not in frame.columns]
    if kind != "RowCount" and frame.rows == 0:
        return {**base, "result": "ERROR", "metrics": {}, "message": f"Empty state for {kind}, all input values were NULL."}
    if absent:
        return {**base, "result": "ERROR", "metrics": {}, "message": f"Input data does not include column {absent[0]}!"}
    found = _KINDS[kind](frame, columns, match)
    if not found.metrics:
        return {**base, "result": "ERROR", "metrics": {}, "message": found.message}
    return {**base, "result": "PASS" if found.passed else "FAIL", "metrics": found.metrics, "message": None if found.passed else found.message}


def _holds(match: re.Match[str], value: float) -> bool:
    if match["between"]:
        return float(match["low"]) < value < float(match["high"])  # DQDL's between excludes both ends
    if not match["operator"]:
        raise EvaluationError(f"The rule {match[0]!r} has no condition")
    limit = float(match["value"])
    return {">": value > limit, ">=": value >= limit, "=": value == limit, "<": value < limit, "<=": value <= limit}[match["operator"]]


def _unmet(value: Any) -> str:
    return f"Value: {'NULL' if value is None else value} does not meet the constraint requirement!"


def _row_count(frame: Frame, _: list[str], match: re.Match[str]) -> Found:
    return Found({"Dataset.*.RowCount": float(frame.rows)}, _holds(match, frame.rows), _unmet(frame.rows))


def _completeness_of(frame: Frame, column: str) -> float:
    return float(frame.numbers(f'count("{column}")')[0]) / frame.rows


def _is_complete(frame: Frame, columns: list[str], _: re.Match[str]) -> Found:
    share = _completeness_of(frame, columns[0])
    return Found({f"Column.{columns[0]}.Completeness": share}, share == 1, _unmet(share))


def _completeness(frame: Frame, columns: list[str], match: re.Match[str]) -> Found:
    share = _completeness_of(frame, columns[0])
    return Found({f"Column.{columns[0]}.Completeness": share}, _holds(match, share), _unmet(share))


def _is_primary_key(frame: Frame, columns: list[str], _: re.Match[str]) -> Found:
    keys = ", ".join(f'"{column}"' for column in columns)
    single = frame.db.execute(f'select count(*) from (select 1 from "primary" group by {keys} having count(*) = 1)').fetchall()[0][0]
    share = single / frame.rows
    complete = {column: _completeness_of(frame, column) for column in columns}
    name = f"Column.{columns[0]}.Uniqueness" if len(columns) == 1 else f"Multicolumn.{','.join(columns)}.Uniqueness"
    metrics = {**{f"Column.{column}.Completeness": value for column, value in complete.items()}, name: share}
    # Deequ asks for completeness of a key of one column only.
    passed = share == 1 and (len(columns) > 1 or complete[columns[0]] == 1)
    return Found(metrics, passed, _unmet(share if share < 1 else min(complete.values())))


def _column_values(frame: Frame, columns: list[str], match: re.Match[str]) -> Found:
    column = columns[0]
    lowest, highest, present = frame.numbers(f'min("{column}")::double, max("{column}")::double, count("{column}")')
    if lowest is None:
        return Found({}, False, _unmet(None))
    metrics = {f"Column.{column}.Minimum": lowest, f"Column.{column}.Maximum": highest}
    # Deequ looks at every value for a range, nulls too, and else only at the extremes.
    if match["between"] and present < frame.rows:
        return Found(metrics, False, _unmet(None))
    return Found(metrics, _holds(match, lowest) and _holds(match, highest), _unmet(lowest if not _holds(match, lowest) else highest))


_KINDS: dict[str, Callable[[Frame, list[str], re.Match[str]], Found]] = {
    "RowCount": _row_count,
    "IsComplete": _is_complete,
    "Completeness": _completeness,
    "IsPrimaryKey": _is_primary_key,
    "ColumnValues": _column_values,
}
