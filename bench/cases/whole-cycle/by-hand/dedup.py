"""A night's records that storage does not have yet, by one query in DuckDB: no ledger, no quarantine, no retry.

Writes them as one Parquet file to storage's bucket, and the document of the transform job to the URI that is its first argument; the
second is where the job is to write. Expects all new records on DAY, which the transform then builds anew.
"""

import json
import os
import sys
from pathlib import Path

import boto3
import duckdb
from botocore.config import Config

document_uri, output_uri = sys.argv[1:]
work, day = Path(os.environ["WORK"]), os.environ["DAY"]
storage, artifacts = os.environ["MERIDIAN_STORAGE_BUCKET"], os.environ["MERIDIAN_ARTIFACTS_BUCKET"]
s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))

earlier = []
seen = work / "seen"
seen.mkdir()
pages = s3.get_paginator("list_objects_v2").paginate(Bucket=storage, Prefix="mobile_positions/")
for key in (entry["Key"] for page in pages for entry in page.get("Contents", [])):
    if key.split("event_date=")[1][:10] >= os.environ["WINDOW_FROM"]:
        path = seen / key.replace("/", "_")
        s3.download_file(storage, key, str(path))
        earlier.append((key, path))

# One query for the whole night: ten million records do not fit the gigabyte that a worker's dedup is given, nor four with a name in each row.
database = duckdb.connect(str(work / "dedup.duckdb"), config={"threads": 2, "memory_limit": "6GiB", "preserve_insertion_order": False})
database.sql("set TimeZone = 'UTC'")
columns = {"timestamp": "BIGINT", "icao24": "VARCHAR", "longitude": "DOUBLE", "latitude": "DOUBLE", "groundspeed": "DOUBLE", "altitude": "DOUBLE"}
database.execute(f"create type raw_object as enum (select file from glob('{work}/raw/*'))")
database.execute(
    f"""copy (
      select event_time, device_id, longitude, latitude, speed, altitude, 'by-hand' as cycle_id, 1::integer as generation,
        raw_object, 'null' as raw_version, row_number() over () as raw_line
      from (
        select make_timestamptz(timestamp * 1000) as event_time, icao24 as device_id, longitude, latitude, groundspeed as speed, altitude,
          filename::raw_object as raw_object
        from read_json('{work}/raw/*', format = 'newline_delimited', compression = 'gzip', columns = {columns}, filename = true)
        where timestamp is not null and abs(longitude) <= 180 and abs(latitude) <= 90
        qualify row_number() over (partition by timestamp, longitude, latitude order by raw_object) = 1
      )
      {f"anti join read_parquet({[str(path) for _, path in earlier]}) using (event_time, longitude, latitude)" if earlier else ""}
      order by event_time
    ) to '{work}/night.parquet' (format parquet, compression zstd)"""
)
(stored,) = database.execute(f"select count(*) from '{work}/night.parquet'").fetchone()
key = f"by-hand/event_date={day}/night.parquet"
s3.upload_file(str(work / "night.parquet"), storage, key)

references = {name: f"s3://{artifacts}/reference/{name}.parquet" for name in ("airspaces", "countries")}
document = {
    "cycle": {"generation": 1},
    "cycleId": "by-hand",
    "files": [{"uri": f"s3://{storage}/{key}", "rowCount": stored, "added": True}],
    "rowCount": stored,
    "addedRowCount": stored,
    "references": references,
    "outputUri": output_uri,
    "quarantineUri": f"s3://{os.environ['MERIDIAN_QUARANTINE_BUCKET']}/by-hand/",
    "refresh": {"columns": {"positions": "event_time", "zone_activity": "hour"}, "rebuilt": [{"day": day}]},
}
bucket, _, document_key = document_uri.removeprefix("s3://").partition("/")
s3.put_object(Bucket=bucket, Key=document_key, Body=json.dumps(document).encode())
