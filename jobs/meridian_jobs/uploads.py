"""Objects that nobody sees until the driver says so.

Whoever reads Parquet reads what lies below a prefix, so a file of a failed or repeated task attempt must never be there.
An executor therefore only uploads the parts of a multipart upload; the driver completes those that successful tasks reported.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .s3 import parse_uri, s3_client

PART_BYTES = 8 * 1024 * 1024  # S3 wants at least 5 MiB of every part but the last


@dataclass(frozen=True)
class PendingObject:
    """A multipart upload whose parts are all there. Travels from executor to driver as JSON."""

    uri: str
    upload_id: str
    part_etags: list[str]
    size_bytes: int


class Upload:
    """A file that only appends, for one object; holds at most one part and one write in memory."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._bucket, self._key = parse_uri(uri)
        self._upload_id: str = s3_client().create_multipart_upload(Bucket=self._bucket, Key=self._key)["UploadId"]
        self._buffer = bytearray()
        self._etags: list[str] = []
        self._size = 0
        self.closed = False

    def write(self, data: Any) -> int:
        chunk = memoryview(data).cast("B")
        self._buffer += chunk
        self._size += len(chunk)
        while len(self._buffer) >= PART_BYTES:
            self._send(bytes(self._buffer[:PART_BYTES]))
            del self._buffer[:PART_BYTES]
        return len(chunk)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Parts have their size: nothing to do."""

    def close(self) -> None:
        """Part of the file protocol; the object is finished by `finish` alone, so that an abandoned file stays unfinished."""
        self.closed = True

    def finish(self) -> PendingObject:
        if self._buffer or not self._etags:
            self._send(bytes(self._buffer))
            self._buffer.clear()
        return PendingObject(self._uri, self._upload_id, self._etags, self._size)

    def abort(self) -> None:
        """Best effort, on the way out of a failure that must not be hidden: the bucket's own rule ends what is left."""
        with suppress(Exception):
            self._abort()

    def _abort(self) -> None:
        s3_client().abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._upload_id)

    def _send(self, body: bytes) -> None:
        answer = s3_client().upload_part(
            Bucket=self._bucket, Key=self._key, UploadId=self._upload_id, PartNumber=len(self._etags) + 1, Body=body
        )
        self._etags.append(answer["ETag"])


def upload_file(uri: str, path: Path) -> PendingObject:
    """Sends a local file whole; an empty one is an empty object."""
    upload = Upload(uri)
    try:
        with path.open("rb") as file:
            while part := file.read(PART_BYTES):
                upload.write(part)
        return upload.finish()
    except BaseException:
        upload.abort()
        raise


def complete(pending: PendingObject) -> None:
    """Makes the object visible. Idempotent by upload id: completing a completed upload again gives the same object."""
    bucket, key = parse_uri(pending.uri)
    parts = [{"ETag": etag, "PartNumber": number} for number, etag in enumerate(pending.part_etags, start=1)]
    s3_client().complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=pending.upload_id, MultipartUpload={"Parts": parts}
    )


def abort(pending: PendingObject) -> None:
    """Best effort, as `Upload.abort`."""
    bucket, key = parse_uri(pending.uri)
    with suppress(Exception):
        s3_client().abort_multipart_upload(Bucket=bucket, Key=key, UploadId=pending.upload_id)


def abort_all(prefix_uri: str) -> None:
    """Aborts what failed attempts left below a prefix: their parts cost storage though nobody can read them."""
    bucket, prefix = parse_uri(prefix_uri)
    for page in s3_client().get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
        for upload in page.get("Uploads", []):
            s3_client().abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
