"""Raw objects and the document of a dedup run as the worker makes them, and what the run left."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterable
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from meridian_jobs.dedup.run import run_dedup
from meridian_jobs.s3 import list_uris, parse_uri, put_object, read_object, s3_client

from .lake import BUCKET

SQL = json.loads((Path(__file__).parents[1] / "fixtures" / "dedup_sql.json").read_text())
"""Made by the worker's code: `npm run job-sql`."""

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NOON_MS = 1_533_124_800_000  # 2018-08-01T12:00Z
DATES = [f"2018-{date}" for date in ("07-29", "07-30", "07-31", "08-01", "08-02", "08-03")]


@dataclass
class RawLake:
    """One chunk; every test has its own prefix."""

    pipeline: str = "mobile"
    format: str = "json-lines"
    prefix: str = field(default_factory=lambda: f"dedup-{uuid4().hex[:8]}")
    attempt: str = field(default_factory=lambda: uuid4().hex[:16])
    objects: list[dict[str, Any]] = field(default_factory=list)
    seen: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {date: [] for date in DATES})

    def put(self, body: bytes, name: str = "", **changes: Any) -> str:
        """@returns the object's key"""
        key = f"{self.prefix}/raw/{name or f'{len(self.objects)}.jsonl'}"
        answer = s3_client().put_object(Bucket=BUCKET, Key=key, Body=body)
        pinned = {"key": key, "versionId": answer.get("VersionId", "null"), "etag": answer["ETag"], "sizeBytes": len(body)}
        window = {"fromMs": NOON_MS - 3 * DAY_MS, "toMs": NOON_MS + DAY_MS}
        self.objects.append({**pinned, "arrivalHour": "2018-08-01T12", **window, **changes})
        return key

    def put_records(self, records: Iterable[dict[str, Any]], name: str = "", gzipped: bool = False) -> str:
        body = "".join(f"{json.dumps(record)}\n" for record in records).encode()
        return self.put(gzip.compress(body) if gzipped else body, name)

    def document(self, **changes: Any) -> dict[str, Any]:
        return {
            "cycle": {"pipeline": "mobile-geolocation", "dataset": "positions", "generation": 2},
            "cycleId": "mobile-geolocation/20180802T000000Z",
            "chunk": 0,
            "attempt": self.attempt,
            "raw": {"bucket": BUCKET, "format": self.format},
            "objects": self.objects,
            **SQL[self.pipeline],
            "logs": {date: 1 for date in self.seen},
            "seen": self.seen,
            "storageUri": f"s3://{BUCKET}/{self.prefix}/storage/positions/",
            "quarantineUri": f"s3://{BUCKET}/{self.prefix}/quarantine/g2/dedup/000000-{self.attempt}-",
            "workUri": f"s3://{BUCKET}/{self.prefix}/work/",
            **changes,
        }

    def input_uri(self, **changes: Any) -> str:
        uri = f"s3://{BUCKET}/{self.prefix}/cycles/{uuid4().hex}/input.json"
        put_object(uri, json.dumps(self.document(**changes)).encode())
        return uri

    def run(self, **changes: Any) -> dict[str, Any]:
        """@returns the manifest"""
        run_dedup(["dedup.py", self.input_uri(**changes)])
        return self.manifest()

    def manifest(self) -> dict[str, Any]:
        return json.loads(read_object(f"s3://{BUCKET}/{self.prefix}/work/_manifest.json"))

    def next(self) -> RawLake:
        """Another chunk of the same dataset, for which counts as seen what this one stored."""
        following = RawLake(self.pipeline, self.format, seen={date: list(files) for date, files in self.seen.items()})
        for file in self.manifest()["files"]:
            entry = {"uri": f"s3://{BUCKET}/{file['key']}", "rowCount": file["rowCount"], "sizeBytes": file["sizeBytes"]}
            following.seen[file["eventDate"]].append(entry)
        return following

    def stored(self) -> pa.Table:
        """All rows that the manifest names, in its order."""
        tables = [pq.read_table(io.BytesIO(read_object(f"s3://{BUCKET}/{file['key']}"))) for file in self.manifest()["files"]]
        return pa.concat_tables(tables)

    def places(self) -> list[tuple[int, int]]:
        """Ordinal and line of every stored row, in order."""
        ordinals = {each["key"]: ordinal for ordinal, each in enumerate(self.objects)}
        rows = self.stored().select(["raw_object", "raw_line"]).to_pylist() if self.manifest()["files"] else []
        return sorted((ordinals[row["raw_object"]], row["raw_line"]) for row in rows)

    def quarantine(self) -> list[dict[str, Any]]:
        keys = self.manifest()["quarantineFiles"]
        return [json.loads(line) for key in keys for line in gzip.decompress(read_object(f"s3://{BUCKET}/{key}")).decode().splitlines()]

    def left(self) -> list[str]:
        """Keys of all that stands there, raw objects and documents left out."""
        uris = (parse_uri(uri).key.removeprefix(f"{self.prefix}/") for uri in list_uris(f"s3://{BUCKET}/{self.prefix}/"))
        return [key for key in uris if not key.startswith(("raw/", "cycles/"))]

    def pending_uploads(self) -> list[Any]:
        return s3_client().list_multipart_uploads(Bucket=BUCKET, Prefix=self.prefix).get("Uploads", [])


def first_of_each(lake: RawLake, objects: list[list[dict[str, Any]]], seen: Iterable[dict[str, Any]] = ()) -> list[tuple[int, int]]:
    """Ordinal and line of what must be stored, of sound records of the mobile pipeline: an independent walk."""
    known = {key_of(record) for record in seen}
    kept = []
    for ordinal, records in enumerate(objects):
        for line, record in enumerate(records, start=1):
            if key_of(record) not in known:
                known.add(key_of(record))
                kept.append((ordinal, line))
    return kept


def key_of(record: dict[str, Any]) -> tuple[int, float, float]:
    return record["timestamp"], float(record["longitude"]), float(record["latitude"])
