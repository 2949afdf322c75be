"""What counts as a line: activities/ledger/line-splitter.ts once more, to the byte (docs/decisions/0010)."""

from __future__ import annotations

from .json_text import is_json
from .limits import KEPT_RAW_BYTES, NOT_UTF8, Fault, Line, RawLimits, too_long

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FIELD_SEPARATOR = b"\x1f"
_CONTROL = Fault("bad_line", "a control character")
_CARRIAGE_RETURN = Fault("bad_line", "a carriage return inside")


class LineSplitter:
    """Cuts blocks at line feeds; never holds more of a line than the limit."""

    def __init__(self, limits: RawLimits) -> None:
        self._limits = limits
        self._number = 0
        self._rest = b""
        # Bytes of the present line that were let go because it is too long already.
        self._dropped = 0
        self._at_start = True

    def push(self, block: bytes) -> list[Line]:
        """@returns the records whose line ends in this block"""
        text = self._rest + block if self._rest else block
        if self._at_start:
            if len(text) < len(_BYTE_ORDER_MARK):
                self._rest = text
                return []
            text = text.removeprefix(_BYTE_ORDER_MARK)
            self._at_start = False
        end = text.rfind(b"\n") + 1
        lines = self._lines(text[:end]) if end > 0 else []
        self._keep(text[end:])
        return lines

    def end(self) -> list[Line]:
        rest = self._rest.removeprefix(_BYTE_ORDER_MARK) if self._at_start else self._rest
        self._rest = b""
        return self._lines(rest + b"\n") if rest or self._dropped > 0 else []

    def _keep(self, rest: bytes) -> None:
        # A carriage return may be the line's end, cut from its line feed: it does not count.
        if len(rest) - rest.endswith(b"\r") <= self._limits.max_line_bytes:
            self._rest = rest
            return
        self._rest = rest[:KEPT_RAW_BYTES]
        self._dropped += len(rest) - len(self._rest)

    def _lines(self, text: bytes) -> list[Line]:
        suspicious = _FIELD_SEPARATOR in text or b"\0" in text or b"\r" in text or not _is_utf8(text)
        whole = text.split(b"\n")
        whole.pop()
        first = self._number + 1
        self._number += len(whole)
        dropped, self._dropped = self._dropped, 0
        if not suspicious and dropped == 0 and len(text) <= self._limits.max_line_bytes:
            return [Line(number, line, None) for number, line in enumerate(whole, first) if line[:1] == b"{" or not _is_blank(line)]
        taken = (self._take(number, line, dropped if number == first else 0, suspicious) for number, line in enumerate(whole, first))
        return [line for line in taken if line is not None]

    def _take(self, number: int, whole: bytes, dropped: int, suspicious: bool) -> Line | None:
        text = whole[:-1] if whole.endswith(b"\r") else whole
        if dropped == 0 and text[:1] != b"{" and _is_blank(text):
            return None
        fault = too_long(len(text) + dropped, self._limits)
        if fault is None and suspicious:
            return _suspicious(number, text)
        return Line(number, text, fault)


def _suspicious(number: int, text: bytes) -> Line:
    if not _is_utf8(text):
        return Line(number, text, NOT_UTF8)
    if _FIELD_SEPARATOR in text or b"\0" in text:
        return Line(number, text, _CONTROL)
    if b"\r" not in text:
        return Line(number, text, None)
    # Legal as white space between tokens only, and there a space says the same. The line file's reader would cut at it.
    if not is_json(text.decode()):
        return Line(number, text, _CARRIAGE_RETURN)
    return Line(number, text.replace(b"\r", b" "), None)


def _is_blank(text: bytes) -> bool:
    return not text.strip(b" \t\r")


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
        return True
    except UnicodeDecodeError:
        return False
