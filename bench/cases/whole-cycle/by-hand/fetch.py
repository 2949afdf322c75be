"""Copies everything below an s3:// URI into a folder, eight objects at once."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config

AT_ONCE = 8

uri, folder = sys.argv[1], Path(sys.argv[2])
bucket, _, prefix = uri.removeprefix("s3://").partition("/")
s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}, max_pool_connections=2 * AT_ONCE))
pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
folder.mkdir(parents=True)


def fetch(key: str) -> None:
    s3.download_file(bucket, key, str(folder / key.removeprefix(prefix).replace("/", "_")))


with ThreadPoolExecutor(AT_ONCE) as pool:
    list(pool.map(fetch, keys))
