"""Lays out storage, references and an input document as the worker does, and reads what a job left."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import dataclass, field
from typing import Any, Iterable
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from meridian_jobs.s3 import list_uris, parse_uri, put_object, read_object, s3_client
from shapely.geometry.base import BaseGeometry

BUCKET = "lake"
LINEAGE = [
    ("cycle_id", pa.string()),
    ("generation", pa.int32()),
    ("raw_object", pa.string()),
    ("raw_version", pa.string()),
    ("raw_line", pa.int64()),
]
POSITION_FIELDS = [
    ("event_time", pa.timestamp("us")),
    ("device_id", pa.string()),
    ("longitude", pa.float64()),
    ("latitude", pa.float64()),
    ("speed", pa.float64()),
    ("altitude", pa.float64()),
]
POSITION_SCHEMA = pa.schema(POSITION_FIELDS + LINEAGE)


@dataclass
class Lake:
    """One cycle's view of storage; every test has its own prefix."""

    prefix: str = field(default_factory=lambda: f"test-{uuid4().hex[:8]}")
    cycle_id: str = "mobile-geolocation/20180802T000000Z"
    generation: int = 1
    files: list[dict[str, Any]] = field(default_factory=list)
    references: dict[str, str] = field(default_factory=dict)

    @property
    def output_uri(self) -> str:
        return f"s3://{BUCKET}/{self.prefix}/refined/g{self.generation:04d}/"

    @property
    def quarantine_uri(self) -> str:
        return f"s3://{BUCKET}/{self.prefix}/quarantine/g{self.generation:04d}/transform/"

    def store(self, rows: list[dict[str, Any]], added: bool, schema: pa.Schema = POSITION_SCHEMA, name: str = "") -> str:
        """One storage file; rows without lineage get this cycle's where they are added, an older one's where not."""
        cycle_id = self.cycle_id if added else "mobile-geolocation/20180801T000000Z"
        raw = f"raw/{len(self.files)}.jsonl.gz"
        whole = [
            {"cycle_id": cycle_id, "generation": self.generation, "raw_object": raw, "raw_version": "v1", "raw_line": line, **row}
            for line, row in enumerate(rows, start=1)
        ]  # fmt: skip
        uri = f"s3://{BUCKET}/{self.prefix}/storage/positions/event_date=2018-08-01/{name or uuid4().hex}.parquet"
        put_object(uri, parquet_bytes(pa.Table.from_pylist(whole, schema)))
        self.files.append({"uri": uri, "rowCount": len(rows), "added": added})
        return uri

    def refer(self, name: str, areas: Iterable[tuple[str, BaseGeometry]]) -> None:
        areas = list(areas)
        table = pa.table({"name": [each[0] for each in areas], "geometry": [shapely.to_wkb(each[1]) for each in areas]})
        self.references[name] = f"s3://{BUCKET}/{self.prefix}/reference/{name}.parquet"
        put_object(self.references[name], parquet_bytes(table))

    def document(self, **changes: Any) -> dict[str, Any]:
        return {
            "cycle": {"pipeline": "mobile-geolocation", "dataset": "mobile_positions", "generation": self.generation},
            "cycleId": self.cycle_id,
            "files": self.files,
            "rowCount": sum(each["rowCount"] for each in self.files),
            "addedRowCount": sum(each["rowCount"] for each in self.files if each["added"]),
            "references": self.references,
            "outputUri": self.output_uri,
            "quarantineUri": self.quarantine_uri,
            **changes,
        }

    def input_uri(self, **changes: Any) -> str:
        uri = f"s3://{BUCKET}/{self.prefix}/cycles/{uuid4().hex}/input.json"
        put_object(uri, json.dumps(self.document(**changes)).encode())
        return uri

    def outputs(self) -> list[str]:
        return list(list_uris(self.output_uri))

    def manifest(self) -> dict[str, Any]:
        return json.loads(read_object(f"{self.output_uri}_manifest.json"))

    def relation(self, name: str) -> dict[str, Any]:
        return next(each for each in self.manifest()["relations"] if each["name"] == name)

    def parquet(self, relation: str, below: str = "") -> pa.Table:
        """All Parquet below the prefix, as the gate reads it."""
        uris = list(list_uris(f"{self.output_uri}{relation}/parquet/{below}"))
        return pa.concat_tables([pq.read_table(io.BytesIO(read_object(uri)), partitioning=None) for uri in uris])

    def quarantine(self) -> list[dict[str, Any]]:
        files = self.manifest()["quarantineFiles"]
        return [json.loads(line) for uri in files for line in gzip.decompress(read_object(uri)).decode().splitlines()]

    def pending_uploads(self) -> list[Any]:
        return s3_client().list_multipart_uploads(Bucket=BUCKET, Prefix=parse_uri(self.output_uri).key).get("Uploads", [])


def parquet_bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()
