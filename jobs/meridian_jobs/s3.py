"""Objects in S3 by their `s3://` URIs, from the driver and from the executors."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Iterable, Iterator, NamedTuple

DELETES_PER_CALL = 1000  # DeleteObjects' limit


class S3Location(NamedTuple):
    bucket: str
    key: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


def parse_uri(uri: str) -> S3Location:
    """Splits `s3://bucket/key`. The key is taken as it stands: `%2F`, spaces and `+` in it are data, never an encoding."""
    bucket, slash, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not bucket or not slash:
        raise ValueError(f'"{uri}" is no S3 URI: expected s3://<bucket>/<key>')
    return S3Location(bucket, key)


@lru_cache(maxsize=1)
def s3_client() -> Any:
    """This process' client; endpoint, region and credentials come from the environment. Every wait of it is bounded."""
    import boto3  # here, because executors import this module for every task and most of them reuse a process
    from botocore.config import Config

    config = Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"mode": "standard", "max_attempts": 8},
        max_pool_connections=16,
        # A bucket in the path, as an address without a name needs it; S3 itself takes both.
        s3={"addressing_style": "path" if os.environ.get("AWS_ENDPOINT_URL") else "auto"},
    )
    return boto3.client("s3", region_name=os.environ.get("AWS_REGION") or None, config=config)


def read_object(uri: str) -> bytes:
    bucket, key = parse_uri(uri)
    return s3_client().get_object(Bucket=bucket, Key=key)["Body"].read()


def put_object(uri: str, body: bytes, **options: str) -> str:
    """Writes a whole object. @returns its ETag, quoted as S3 gives it."""
    bucket, key = parse_uri(uri)
    return s3_client().put_object(Bucket=bucket, Key=key, Body=body, **options)["ETag"]


def list_uris(prefix_uri: str) -> Iterator[str]:
    bucket, prefix = parse_uri(prefix_uri)
    for page in s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", []):
            yield S3Location(bucket, entry["Key"]).uri


def delete_objects(uris: Iterable[str]) -> None:
    """Deletes objects of one bucket. @raises RuntimeError with the first refusal"""
    locations = [parse_uri(uri) for uri in uris]
    for start in range(0, len(locations), DELETES_PER_CALL):
        batch = locations[start : start + DELETES_PER_CALL]
        answer = s3_client().delete_objects(
            Bucket=batch[0].bucket, Delete={"Objects": [{"Key": each.key} for each in batch], "Quiet": True}
        )
        for refusal in answer.get("Errors", []):
            raise RuntimeError(f"S3 did not delete s3://{batch[0].bucket}/{refusal['Key']}: {refusal.get('Message')}")


def in_parallel(function: Any, items: Iterable[Any]) -> list[Any]:
    """Results in the order of `items`; a few requests at a time, as one connection pool carries."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(function, items))
