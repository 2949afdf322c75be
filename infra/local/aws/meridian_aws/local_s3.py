"""S3 of this very emulator, through its HTTP door like any other client."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from .iam import Credentials
from .settings import Settings


def aws_client(service: str, settings: Settings, credentials: Credentials, region: str) -> Any:
    """A client of this emulator as one role, in its account; every wait is bounded."""
    return boto3.client(
        service,
        endpoint_url=settings.endpoint,
        region_name=region,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
        config=Config(connect_timeout=5, read_timeout=60, retries={"max_attempts": 3}, s3={"addressing_style": "path"}),
    )


def split_s3_uri(uri: str) -> tuple[str, str]:
    """:raises ValueError: for anything but ``s3://bucket/key``"""
    parts = urlsplit(uri, allow_fragments=False)
    key = uri.split("/", 3)[3] if uri.count("/") >= 3 else ""
    if parts.scheme not in ("s3", "s3a", "s3n") or not parts.netloc:
        raise ValueError(f"{uri!r} is no s3:// URI")
    return parts.netloc, key


def download(s3: Any, uri: str, folder: Path) -> Path:
    """Fetches one object under its own base name.

    :raises FileNotFoundError: naming the object
    """
    bucket, key = split_s3_uri(uri)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / (key.rsplit("/", 1)[-1] or "object")
    try:
        s3.download_file(bucket, key, str(target))
    except ClientError as error:
        raise FileNotFoundError(f"{uri}: {error.response['Error'].get('Code')}") from error
    return target
