"""Is a text JSON? As ECMAScript's JSON.parse answers it, whatever the depth; Python's own parser takes more, and nests less deep."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r'[ \t\n\r]*(?:(?P<mark>[{}\[\],:])|(?P<text>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")'
    r"|(?P<scalar>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null))"
)
_BLANK = re.compile(r"[ \t\n\r]*\Z")
_END = {"{": "}", "[": "]"}


def is_json(text: str) -> bool:
    """RFC 8259, one value."""
    open_marks: list[str] = []
    expected = "value"
    at = 0
    while expected != "nothing":
        token = _TOKEN.match(text, at)
        if token is None:
            return False
        at = token.end()
        mark, is_text = token["mark"], token["text"] is not None
        if mark in ("{", "[") and expected in ("value", "value or end"):
            open_marks.append(mark)
            expected = "name or end" if mark == "{" else "value or end"
        elif mark is None and (expected in ("value", "value or end") or (is_text and expected in ("name", "name or end"))):
            expected = "colon" if expected in ("name", "name or end") else _after_value(open_marks)
        elif mark == ":" and expected == "colon":
            expected = "value"
        elif mark == "," and expected == "comma or end":
            expected = "name" if open_marks[-1] == "{" else "value"
        elif mark in ("}", "]") and expected.endswith("or end") and _END[open_marks[-1]] == mark:
            open_marks.pop()
            expected = _after_value(open_marks)
        else:
            return False
    return _BLANK.match(text, at) is not None


def _after_value(open_marks: list[str]) -> str:
    return "comma or end" if open_marks else "nothing"
