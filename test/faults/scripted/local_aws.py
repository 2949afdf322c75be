"""S3 and Glue of the local AWS by its HTTP door, without an SDK: importing one costs more than a scripted job's whole work."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from datetime import datetime, timezone
from http.client import HTTPConnection
from typing import Any, Iterator
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from xml.etree import ElementTree

_TIMEOUT_SECONDS = 60
_ENDPOINT = urlsplit(os.environ.get("AWS_ENDPOINT_URL", ""))


class Refused(Exception):
    """An answer other than 2xx."""

    def __init__(self, what: str, status: int, body: bytes) -> None:
        super().__init__(f"{what}: {status} {body[:500].decode('utf-8', 'replace')}")
        self.status = status


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key`; the key is taken as it stands."""
    bucket, slash, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not slash:
        raise ValueError(f'"{uri}" is no S3 URI: expected s3://<bucket>/<key>')
    return bucket, key


def read_object(uri: str) -> bytes:
    """@raises Refused with status 404 when it is not there"""
    return _s3("GET", *split_uri(uri))[0]


def read_json_if_present(uri: str) -> Any:
    """The parsed document, or None when object or bucket is not there, or is nothing that the role may read: a scenario's own wishes."""
    try:
        return json.loads(read_object(uri))
    except Refused as error:
        if error.status in (403, 404):
            return None
        raise


def put_object(uri: str, body: bytes, only_new: bool = False) -> str:
    """@returns the ETag, quoted as S3 gives it. @raises Refused with status 412 when `only_new` and it is there"""
    return _s3("PUT", *split_uri(uri), body=body, headers={"If-None-Match": "*"} if only_new else {})[1]["etag"]


def delete_object(uri: str) -> None:
    _s3("DELETE", *split_uri(uri))


def list_uris(prefix_uri: str) -> Iterator[str]:
    """Every object below a prefix, page by page."""
    bucket, prefix = split_uri(prefix_uri)
    query = {"list-type": "2", "prefix": prefix}
    while True:
        page = ElementTree.fromstring(_s3("GET", bucket, "", query=query)[0])
        yield from (f"s3://{bucket}/{entry.text}" for entry in page.findall("{*}Contents/{*}Key"))
        token = page.findtext("{*}NextContinuationToken")
        if not token:
            return
        query["continuation-token"] = token


def list_buckets() -> list[str]:
    """Those of the account; none for a role that may not list them."""
    try:
        answer = ElementTree.fromstring(_s3("GET", "", "")[0])
    except Refused as error:
        if error.status == 403:
            return []
        raise
    return [name.text or "" for name in answer.findall("{*}Buckets/{*}Bucket/{*}Name")]


def glue(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """@raises Refused with the service's own answer"""
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"AWSGlue.{operation}"}
    return dict(json.loads(_send("glue", "POST", "/", headers, json.dumps(request).encode())[0]))


def _s3(method: str, bucket: str, key: str, body: bytes = b"", headers: dict[str, str] | None = None,
        query: dict[str, str] | None = None) -> tuple[bytes, dict[str, str]]:
    path = "/" + "/".join(part for part in (bucket, quote(key, safe="/-_.~")) if part)
    return _send("s3", method, f"{path}?{urlencode(query)}" if query else path, headers or {}, body)


def _send(service: str, method: str, target: str, headers: dict[str, str], body: bytes) -> tuple[bytes, dict[str, str]]:
    signed = {**headers, **_signature(service, method, target, headers, body)}
    # A connection of its own each: the emulator closes idle ones, and a script may sleep in between.
    connection = HTTPConnection(_ENDPOINT.hostname or "", _ENDPOINT.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request(method, target, body, signed)
        answer = connection.getresponse()
        content = answer.read()
        if not 200 <= answer.status < 300:
            raise Refused(f"{method} {target}", answer.status, content)
        return content, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


def _signature(service: str, method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, str]:
    """Signature version 4 with the role's credentials. @see https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html"""
    path, _, query = target.partition("?")
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    own = {"Host": _ENDPOINT.netloc, "X-Amz-Date": moment, "X-Amz-Content-Sha256": digest,
           "X-Amz-Security-Token": os.environ["AWS_SESSION_TOKEN"]}
    lines = sorted((name.lower(), value.strip()) for name, value in {**headers, **own}.items())
    names = ";".join(name for name, _ in lines)
    # S3 alone takes a path that is encoded once, which is how it is sent.
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in parse_qsl(query, keep_blank_values=True))
    request = "\n".join([method, path, "&".join("=".join(pair) for pair in pairs), *(f"{name}:{value}" for name, value in lines), "", names, digest])
    scope = "/".join([moment[:8], os.environ["AWS_REGION"], service, "aws4_request"])
    key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in (*scope.split("/"), "\n".join(["AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(request.encode()).hexdigest()])):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    authorization = f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, SignedHeaders={names}, Signature={key.hex()}"
    return {**own, "Authorization": authorization}
