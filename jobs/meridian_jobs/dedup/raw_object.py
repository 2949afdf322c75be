"""A pinned version of a raw object, as a local file."""

from __future__ import annotations

from pathlib import Path

from botocore.exceptions import ClientError

from ..errors import JobError
from ..s3 import s3_client
from .task import RawObject

_BLOCK_BYTES = 1024 * 1024
_GONE = {"NoSuchKey", "NoSuchVersion", "NotFound", "404", "PreconditionFailed", "412", "MethodNotAllowed", "405", "InvalidObjectState"}
"""S3 never mends these by itself. @see GetObject, "Error codes" """


def download(bucket: str, raw: RawObject, path: Path) -> None:
    """@raises JobError when that version is gone, or is not what was pinned"""
    pin = {} if raw.etag is None else {"IfMatch": raw.etag}
    try:
        answer = s3_client().get_object(Bucket=bucket, Key=raw.key, VersionId=raw.version_id, **pin)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code not in _GONE:
            raise
        raise JobError(
            f"{describe(bucket, raw)} is gone ({code}): it was deleted, archived or overwritten in an unversioned bucket since this "
            "cycle pinned it. Start the cycle again, so that it discovers what is there now"
        ) from error
    size_bytes = 0
    with path.open("wb") as file:
        for block in answer["Body"].iter_chunks(_BLOCK_BYTES):
            size_bytes += file.write(block)
    if size_bytes != raw.size_bytes:
        raise JobError(f"{describe(bucket, raw)} is not what this cycle pinned: expected {raw.size_bytes} bytes, found {size_bytes}")


def describe(bucket: str, raw: RawObject) -> str:
    return f"Object {raw.ordinal}, s3://{bucket}/{raw.key}, version {raw.version_id},"
