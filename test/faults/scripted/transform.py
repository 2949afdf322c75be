"""In place of spark-submit: does for the relations of `test/faults/pipeline.ts` what a job of `meridian_jobs` does, in a fraction of the time.

The last argument is the URI of a TransformInput document (domain/documents.ts). Outcomes, named by `faults/<pipeline>.json`
in that document's bucket (see options.py):

  succeed      the default
  fail         a traceback, exit code 1
  no-manifest  exit code 0, everything written but `_manifest.json`
  lose-row     one row of the points is not written, the manifest claims it; `"in": "copy"` or `"parquet"` loses it only there
  double-row   one row is written twice, and the manifest says so
  empty        no row in any relation, and the manifest says so
"""

from __future__ import annotations

import json
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Sequence
from uuid import uuid4

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from local_aws import delete_object, list_uris, put_object, read_json_if_present, read_object, split_uri
from options import Options, faults_uri, parse_options
from pgpq import ArrowToPostgresBinaryEncoder

OUTCOMES = ("succeed", "fail", "no-manifest", "lose-row", "double-row", "empty")
PART_ROWS = 100
"""So small that a night of a few hundred records has several parts."""

_WGS84_POINT = struct.Struct("<BIIdd")
_POINT_WITH_SRID = 0x20000001

POINTS = {
    "event_time": ("timestamptz", pa.timestamp("us", tz="UTC")),
    "device_id": ("text", pa.string()),
    "geom": ("geometry(Point,4326)", pa.binary()),
    "longitude": ("double precision", pa.float64()),
    "latitude": ("double precision", pa.float64()),
    "night": ("text", pa.string()),
    "cycle_id": ("text", pa.string()),
    "generation": ("integer", pa.int32()),
    "raw_object": ("text", pa.string()),
    "raw_line": ("bigint", pa.int64()),
}
TOTALS = {"night": ("text", pa.string()), "records": ("bigint", pa.int64())}
TOTALS_BY_DAY = {"day": ("date", pa.date32()), **TOTALS}
Columns = dict[str, tuple[str, pa.DataType]]


# A row of a day is the same whichever cycle makes it: the end of its event date.
NIGHT_OF_DAY = "strftime(date_trunc('day', event_time) + interval 1 day, '%Y-%m-%dT%H:%M:%SZ')"


class JobError(Exception):
    """The document and what lies in storage do not fit."""


@dataclass(frozen=True)
class Rows:
    """Rows of one place: `claimed` goes to the manifest, the others are written."""

    claimed: pa.Table
    parquet: pa.Table
    copy: pa.Table


def main(argv: Sequence[str]) -> None:
    document_uri = argv[-1]
    document = json.loads(read_object(document_uri))
    cycle = document["cycle"]
    nights = read_json_if_present(faults_uri(split_uri(document_uri)[0], cycle["pipeline"])) or {}
    options = parse_options(nights.get(cycle["intervalEnd"], {}).get("transform"), OUTCOMES)
    options.sleep()
    if options.outcome == "fail":
        raise JobError(f"The scenario wants the transform of {document['cycleId']} to fail")
    with TemporaryDirectory() as folder:
        transform(document, options, Path(folder))


def transform(document: dict[str, Any], options: Options, folder: Path) -> None:
    """Idempotent by the document's `outputUri`, as the real job: a manifest means done, anything else there is cleared away."""
    output_uri = document["outputUri"]
    manifest_uri = f"{output_uri}_manifest.json"
    leftovers = list(list_uris(output_uri))
    if manifest_uri in leftovers:
        print(f"{manifest_uri} is there already: nothing to do")
        return
    for uri in leftovers:
        delete_object(uri)

    db = duckdb.connect(config={"threads": 1})
    db.execute("set TimeZone = 'UTC'")
    records = read_records(db, document, folder)
    added, kept = (records.filter(pc.equal(records["_added"], is_added)).drop_columns("_added") for is_added in (True, False))
    if options.outcome == "empty":
        added, kept = added.slice(0, 0), kept.slice(0, 0)
    # The fault falls on a row that this cycle added, where it added any.
    at = "origin=added/" if added.num_rows > 0 else "origin=kept/"
    places = {"origin=added/": added, "origin=kept/": kept}
    points = {origin: with_fault(rows, options) if origin == at else Rows(rows, rows, rows) for origin, rows in places.items()}
    total = sum(rows.claimed.num_rows for rows in points.values())
    by_day = document.get("refresh") is not None
    if by_day:
        claimed = pa.concat_tables([rows.claimed for rows in points.values()])
        totals = totals_by_day(claimed)
    else:
        night = document["cycle"]["intervalEnd"]
        count = pa.table({"night": [night], "records": [total]}, pa.schema([(name, kind) for name, (_, kind) in TOTALS.items()]))
        totals = count.slice(0, 0) if options.outcome == "empty" else count
    # A job names its relations itself, also for a dry run, whose pipeline is `<name>.dry`.
    prefix = document["cycle"]["pipeline"].removesuffix(".dry").replace("-", "_")
    relations = [
        write_relation(db, folder, output_uri, f"{prefix}_points", POINTS, points, "event_time" if by_day else None),
        write_relation(db, folder, output_uri, f"{prefix}_totals", TOTALS_BY_DAY if by_day else TOTALS, {"": Rows(totals, totals, totals)},
                       "day" if by_day else None),
    ]
    if options.outcome == "no-manifest":
        return
    manifest = {"inputRows": records.num_rows, "quarantined": {}, "quarantineFiles": [], "relations": relations}
    put_object(manifest_uri, json.dumps(manifest, indent=1).encode(), only_new=True)


def read_records(db: duckdb.DuckDBPyConnection, document: dict[str, Any], folder: Path) -> pa.Table:
    """The columns of POINTS and `_added`. @raises JobError when storage has not the rows that the document lists"""
    paths = []
    for at, file in enumerate(document["files"]):
        path = folder / f"{at}.parquet"
        path.write_bytes(read_object(file["uri"]))
        paths.append(str(path))
    if not paths:
        raise JobError(f"Cycle {document['cycleId']} lists no storage files: there is nothing to transform")
    # U+0000 is none of PostgreSQL's text.
    night = "$night" if document.get("refresh") is None else f"({NIGHT_OF_DAY})"
    rows = db.execute(
        f"""select event_time::timestamptz as event_time, replace(device_id, chr(0), chr(65533)) as device_id, longitude, latitude,
             {night} as night, cycle_id, generation::integer as generation, raw_object, raw_line::bigint as raw_line,
             coalesce(cycle_id = $cycle_id and generation = $generation, false) as _added
           from read_parquet($paths, hive_partitioning = false, union_by_name = true) order by event_time, longitude, latitude""",
        {"paths": paths, "cycle_id": document["cycleId"], "generation": document["cycle"]["generation"],
         **({"night": document["cycle"]["intervalEnd"]} if document.get("refresh") is None else {})},
    ).to_arrow_table()
    found = (rows.num_rows, sum(rows["_added"].to_pylist()))
    expected = (document["rowCount"], document["addedRowCount"])
    if found != expected:
        raise JobError(f"Storage is not what the document of {document['cycleId']} lists: expected (rows, added) {expected}, found {found}")
    places = zip(rows["longitude"].to_pylist(), rows["latitude"].to_pylist(), strict=True)
    geom = [_WGS84_POINT.pack(1, _POINT_WITH_SRID, 4326, longitude, latitude) for longitude, latitude in places]
    whole = rows.append_column("geom", pa.array(geom, pa.binary()))
    schema = pa.schema([*((name, kind) for name, (_, kind) in POINTS.items()), ("_added", pa.bool_())])
    return whole.select(schema.names).cast(schema).combine_chunks()


def with_fault(rows: pa.Table, options: Options) -> Rows:
    if options.outcome == "double-row":
        doubled = pa.concat_tables([rows.slice(0, 1), rows]).combine_chunks()
        return Rows(doubled, doubled, doubled)
    if options.outcome == "lose-row":
        where = options.extra.get("in", "both")
        return Rows(rows, rows.slice(1) if where != "copy" else rows, rows.slice(1) if where != "parquet" else rows)
    return Rows(rows, rows, rows)


def totals_by_day(points: pa.Table) -> pa.Table:
    days = pc.cast(pc.floor_temporal(points["event_time"], unit="day"), pa.date32())
    counted = pa.table({"day": days, "night": points["night"]}).group_by(["day", "night"]).aggregate([([], "count_all")])
    totals = counted.select(["day", "night", "count_all"]).rename_columns(["day", "night", "records"])
    return totals.cast(pa.schema([(name, kind) for name, (_, kind) in TOTALS_BY_DAY.items()])).combine_chunks()


def write_relation(db: duckdb.DuckDBPyConnection, folder: Path, output_uri: str, name: str, columns: Columns,
                   places: dict[str, Rows], by: str | None = None) -> dict[str, Any]:
    """@param by - the column of days, of a pipeline that is refreshed by day. @returns `JobRelation` of domain/documents.ts"""
    relation_uri = f"{output_uri}{name}/"
    stem = f"00000-{uuid4().hex[:12]}"
    parts: list[dict[str, Any]] = []
    days: dict[str, dict[str, Any]] = {}
    for origin, rows in places.items():
        path = folder / "out.parquet"
        db.register("written", rows.parquet)
        below = {"": "written"}
        if by is not None:
            # A file without rows in the origin's own folder, and a folder for each day.
            below = {"": "(from written limit 0)"}
            for day, count in day_counts(rows.claimed, by).items():
                where = f"event_date={day}/"
                below[where] = f"(from written where {by}::date = date '{day}')"
                noted = days.setdefault(day, {"day": day, "rows": 0, "parquet": {}})
                noted["rows"] += count
                noted["parquet"][{"origin=added/": "added", "origin=kept/": "kept", "": "all"}[origin]] = f"{relation_uri}parquet/{where}{origin}"
        for where, source in below.items():
            db.execute(f"copy {source} to '{path}' (format parquet, compression zstd)")
            put_object(f"{relation_uri}parquet/{where}{origin}{stem}.parquet", path.read_bytes())
        lost = rows.claimed.num_rows - rows.copy.num_rows
        for start in range(0, rows.claimed.num_rows, PART_ROWS):
            claimed = min(PART_ROWS, rows.claimed.num_rows - start)
            # What is lost is lost from the first part: the others hold what they claim.
            first, count = (0, claimed - lost) if start == 0 else (start - lost, claimed)
            parts.append(put_part(f"{relation_uri}copy/{stem}-{len(parts)}.bin", rows.copy.slice(first, count), claimed))
    per_record = "origin=added/" in places
    return {
        "name": name,
        "columns": [{"name": column, "type": declared} for column, (declared, _) in columns.items()],
        "rows": sum(rows.claimed.num_rows for rows in places.values()),
        **({"addedRows": places["origin=added/"].claimed.num_rows} if per_record else {}),
        **({} if by is None else {"days": [days[day] for day in sorted(days)]}),
        "parquetUri": f"{relation_uri}parquet/",
        "copyParts": parts,
    }


def day_counts(rows: pa.Table, by: str) -> dict[str, int]:
    days = pc.cast(pc.floor_temporal(rows[by], unit="day"), pa.date32())
    return {day.isoformat(): count for day, count in ((each["values"], each["counts"]) for each in pc.value_counts(days).to_pylist())}


def put_part(uri: str, rows: pa.Table, claimed: int) -> dict[str, Any]:
    encoder = ArrowToPostgresBinaryEncoder(rows.schema)
    body = bytearray(encoder.write_header())
    for batch in rows.to_batches():
        body += encoder.write_batch(batch)
    body += encoder.finish()
    return {"uri": uri, "etag": put_object(uri, bytes(body)), "rows": claimed, "sizeBytes": len(body)}


if __name__ == "__main__":
    main(sys.argv)
