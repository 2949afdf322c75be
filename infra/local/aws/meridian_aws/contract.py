"""Requests and errors as AWS's own service models (botocore's copies of them) prescribe."""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import botocore.session
from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StructureShape

Response = tuple[int, dict[str, str], bytes]


class ServiceError(Exception):
    """An error of the service's own, e.g. ``ValidationException``; the status comes from the model."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Call:
    """A recognised operation and its validated input, by the model's member names."""

    operation: str
    params: dict[str, Any]


@functools.cache
def service_model(service: str) -> ServiceModel:
    """The service's model in the pinned botocore."""
    return botocore.session.get_session().get_service_model(service)


def parse_rest_call(service: str, method: str, path: str, query: dict[str, Any], body: bytes) -> Call:
    """Finds the operation of a REST-JSON request and validates its members.

    :raises ServiceError: ``UnknownOperationException`` or ``ValidationException``
    """
    model = service_model(service)
    for name, route in _rest_routes(service).items():
        match = route.fullmatch(path)
        operation = model.operation_model(name)
        if match is None or operation.http["method"] != method:
            continue
        params = {member: unquote(text) for member, text in match.groupdict().items()}
        shape = operation.input_shape
        if isinstance(shape, StructureShape):
            document = _json_object(body) if body.strip() else {}
            for member, member_shape in shape.members.items():
                location = member_shape.serialization.get("location")
                wire = member_shape.serialization.get("name", member)
                if location == "querystring" and wire in query:
                    params[member] = _from_query(member_shape, query[wire])
                elif location is None and document.get(wire) is not None:
                    params[member] = document[wire]
        return Call(name, validated(operation, params))
    raise ServiceError("UnknownOperationException", f"No operation of {service} is {method} {path}")


def parse_json_call(service: str, operation_name: str, body: bytes) -> Call:
    """Validates the members of an X-Amz-Target request."""
    operation = service_model(service).operation_model(operation_name)
    return Call(operation_name, validated(operation, _json_object(body) if body.strip() else {}))


def validated(operation: OperationModel, params: dict[str, Any]) -> dict[str, Any]:
    """:raises ServiceError: ``ValidationException`` that names every member at fault, worded as AWS does"""
    faults: list[str] = []
    if operation.input_shape is not None:
        _check(operation.input_shape, params, "", faults)
    if faults:
        noun = "error" if len(faults) == 1 else "errors"
        raise ServiceError("ValidationException", f"{len(faults)} validation {noun} detected: " + "; ".join(faults))
    return {key: value for key, value in params.items() if value is not None}


def canonical(params: dict[str, Any], token_member: str) -> str:
    """The request without its token: two requests with the same token must agree in this."""
    return json.dumps({key: value for key, value in params.items() if key != token_member}, sort_keys=True)


def json_reply(document: dict[str, Any], service: str, status: int = 200) -> Response:
    content_type = "application/json" if service == "emr-serverless" else "application/x-amz-json-1.1"
    return status, {"Content-Type": content_type}, json.dumps(document).encode()


def error_reply(error: ServiceError, service: str) -> Response:
    """The error as the protocol carries it: a header for REST-JSON, ``__type`` for JSON 1.1."""
    shapes = service_model(service).error_shapes
    status = next((s.metadata.get("error", {}).get("httpStatusCode") for s in shapes if s.name == error.code), None)
    if error.code == "UnknownOperationException":
        status = 404
    if error.code == "AccessDeniedException":
        status = 403 if service == "emr-serverless" else 400
    if service == "emr-serverless":
        code, headers, body = json_reply({"message": error.message}, service, status or 400)
        return code, {**headers, "x-amzn-ErrorType": error.code}, body
    return json_reply({"__type": error.code, "Message": error.message, "message": error.message}, service, status or 400)


@functools.cache
def _rest_routes(service: str) -> dict[str, re.Pattern[str]]:
    model = service_model(service)
    routes: dict[str, re.Pattern[str]] = {}
    for name in model.operation_names:
        uri = str(model.operation_model(name).http["requestUri"]).split("?")[0]
        # Tags carry an ARN, whose slashes reach us decoded.
        segment = ".+" if uri.startswith("/tags/") else "[^/]+"
        routes[name] = re.compile(re.sub(r"\{(\w+)\}", rf"(?P<\1>{segment})", uri))
    return routes


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ServiceError("SerializationException", "The request's body is no JSON object")
    return document


def _from_query(shape: Shape, values: Any) -> Any:
    texts = [str(value) for value in values] if isinstance(values, list) else [str(values)]
    if isinstance(shape, ListShape):
        return texts
    if shape.type_name in ("integer", "long") and re.fullmatch(r"-?\d+", texts[0]):
        return int(texts[0])
    return texts[0]


_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "long": (int,), "double": (int, float), "float": (int, float), "boolean": (bool,),
    "timestamp": (int, float, str), "list": (list,), "map": (dict,), "structure": (dict,),
}


def _check(shape: Shape, value: Any, path: str, faults: list[str]) -> None:
    kinds = _JSON_TYPES.get(shape.type_name)
    if kinds is not None and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        raise ServiceError("SerializationException", f"{path or 'body'}: expected {shape.type_name}, found {type(value).__name__}")
    if isinstance(shape, StructureShape):
        for name in shape.required_members:
            if value.get(name) is None:
                faults.append(f"Value null at '{_at(path, name)}' failed to satisfy constraint: Member must not be null")
        if getattr(shape, "is_tagged_union", False) and len([k for k in shape.members if value.get(k) is not None]) != 1:
            faults.append(f"Value at '{path}' failed to satisfy constraint: exactly one member of the union must be set")
        for name, member in shape.members.items():
            if value.get(name) is not None:
                _check(member, value[name], _at(path, name), faults)
        return
    _check_limits(shape, value, path, faults)
    if isinstance(shape, ListShape):
        for index, item in enumerate(value):
            _check(shape.member, item, f"{path}.{index + 1}.member", faults)
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            _check(shape.key, key, path, faults)
            _check(shape.value, item, f"{path}.{key}.member", faults)


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _check_limits(shape: Shape, value: Any, path: str, faults: list[str]) -> None:
    limits = shape.metadata
    sized = shape.type_name in ("string", "list", "map")
    measure = len(value) if sized else value
    shown = "" if limits.get("sensitive") else f" '{value}'"
    complain = f"Value{shown} at '{path}' failed to satisfy constraint: Member must have "
    if "min" in limits and isinstance(measure, (int, float)) and measure < float(limits["min"]):
        faults.append(complain + (f"length greater than or equal to {limits['min']}" if sized else f"value greater than or equal to {limits['min']}"))
    if "max" in limits and isinstance(measure, (int, float)) and measure > float(limits["max"]):
        faults.append(complain + (f"length less than or equal to {limits['max']}" if sized else f"value less than or equal to {limits['max']}"))
    pattern = _compiled(str(limits["pattern"])) if shape.type_name == "string" and "pattern" in limits else None
    # Smithy's constraints count from the start only when the pattern says so; AWS's documentation anchors all of these.
    if pattern is not None and pattern.fullmatch(value) is None:
        faults.append(f"Value{shown} at '{path}' failed to satisfy constraint: Member must satisfy regular expression pattern: {limits['pattern']}")
    allowed = limits.get("enum")
    if allowed and value not in allowed:
        faults.append(f"Value{shown} at '{path}' failed to satisfy constraint: Member must satisfy enum value set: [{', '.join(allowed)}]")


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    # Some models carry Java surrogate ranges, which Python cannot compile: those say nothing about our requests.
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error:
        return None
