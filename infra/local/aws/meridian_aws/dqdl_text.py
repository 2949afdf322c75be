"""The rules of a DQDL ruleset as they are written; the grammar itself is Deequ's."""

from __future__ import annotations

import re

_RULES = re.compile(r"\bRules\s*=\s*\[(.*)\]", re.DOTALL)


def rules_of(text: str) -> list[str]:
    """Splits ``Rules = [ … ]`` at its commas; those within quotes, brackets and parentheses belong to a rule."""
    match = _RULES.search(text)
    body = match.group(1) if match else ""
    rules: list[str] = []
    depth, quoted, start = 0, False, 0
    for at, char in enumerate(body + ","):
        if char == '"' and body[at - 1:at] != "\\":
            quoted = not quoted
        elif not quoted and char in "([":
            depth += 1
        elif not quoted and char in ")]":
            depth -= 1
        elif not quoted and depth == 0 and char == ",":
            rules.append(body[start:at].strip())
            start = at + 1
    return [rule for rule in rules if rule]
