"""JSON documents that jobs are given: taken apart value by value, so that all that is wrong with one is said at once."""

from __future__ import annotations

import json
from typing import Any, Mapping, Sequence

from .errors import JobError
from .s3 import parse_uri, read_object


def input_uri(argv: Sequence[str]) -> str:
    """@param argv - the script's name and the URI of its document @raises JobError when that is not what it is"""
    if len(argv) != 2:
        raise JobError(f"Expected one argument, the s3:// URI of the input document; found {len(argv) - 1}: {list(argv[1:])}")
    return argv[1]


def read_document(uri: str) -> Any:
    """@raises JobError when it is not there or no JSON"""
    try:
        return json.loads(read_object(uri))
    except Exception as error:
        raise JobError(f"The job's input document {uri} cannot be read: {error}") from error


class DocumentReader:
    """Takes values by their key and type, and collects what it finds wrong with them."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self.faults: list[str] = []

    def take(self, source: Any, key: str, kind: type, path: str = "") -> Any:
        """@returns the value; an empty one of that type where there is none"""
        value = source.get(key) if isinstance(source, dict) else None
        # bool is an int to Python, never to JSON.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self.faults.append(f"{path}{key}: expected {kind.__name__}, found {json.dumps(value)[:80]}")
            return kind()
        return value

    def take_uri(self, source: Any, key: str, path: str = "", folder: bool = False) -> str:
        value = self.take(source, key, str, path)
        try:
            parse_uri(value)
            if folder and not value.endswith("/"):
                self.faults.append(f'{path}{key}: expected a URI that ends in "/", found {value}')
        except ValueError as error:
            self.faults.append(f"{path}{key}: {error}")
        return value

    def take_known(self, source: Any, key: str, known: Sequence[str] | Mapping[str, Any], path: str = "") -> str:
        value = self.take(source, key, str, path)
        if value not in known:
            self.faults.append(f"{path}{key}: expected one of {', '.join(known)}, found {value[:80]}")
        return value

    def expect_none_wrong(self) -> None:
        """@raises JobError with every fault of the document at once"""
        if self.faults:
            raise JobError(f"The job's input document {self._uri} has {len(self.faults)} fault(s): {'; '.join(self.faults)}")
