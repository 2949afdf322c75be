"""What ministack's enforcement (``AUTH=true``) does not know of our calls, mended. See docs/decisions/0027."""

from __future__ import annotations

import json
from typing import Any, Callable

from .contract import Response, ServiceError, error_reply
from .iam import Iam, Need
from .permissions import catalog_resources


def without_glue(extract_action: Callable[..., str | None]) -> Callable[..., str | None]:
    """Leaves Glue's calls to :func:`refusal_of_catalog`: ministack then checks their signature alone."""

    def extract(service: str, *request: Any) -> str | None:
        return None if service == "glue" else extract_action(service, *request)

    return extract


def refusal_of_catalog(iam: Iam, operation: str, headers: dict[str, str], body: bytes, query: dict[str, Any], account: str,
                       region: str) -> Response | None:
    """The refusal of a call to Glue's catalog, or None when it may pass."""
    needs = [Need(f"glue:{operation}", resource) for resource in catalog_resources(operation, body, account, region)]
    try:
        iam.require(needs, headers, query)
    except ServiceError as error:
        return error_reply(error, "glue")
    return None


def with_namespace(request_context: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Adds ``cloudwatch:namespace``, the one key that PutMetricData can be narrowed by."""

    def context(service: str, action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
        found = request_context(service, action, body, params)
        namespace = _namespace(body, params) if service == "monitoring" else None
        return found if namespace is None else {**found, "cloudwatch:namespace": namespace}

    return context


def only_own_keys(access_key_id: str) -> bool:
    """In place of ministack's root keys, which anybody may use without a signature: ``test``, and twelve digits."""
    return not access_key_id


def _namespace(body: bytes, params: dict[str, Any]) -> str | None:
    given = params.get("Namespace")
    if given:
        return str(given[0] if isinstance(given, list) else given)
    try:
        document = json.loads(body)
    except ValueError:  # of a protocol that is not ours: without a namespace it is refused
        return None
    return document.get("Namespace") if isinstance(document, dict) else None
