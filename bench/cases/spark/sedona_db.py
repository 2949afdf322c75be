"""SedonaDB's side: the same counts as the job's join, on one core and without Spark."""

import json
import os
import sys
import warnings
from typing import Any

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # before any thread is there
warnings.filterwarnings("ignore", message="Failed to configure")  # no projections, no rasters here

import pyarrow  # noqa: E402
import sedonadb  # noqa: E402

JOIN = """
select {what} from (select id, ST_Point(longitude, latitude) as geom from records) r
join (select name, ST_GeomFromWKB(geometry) as geometry from {areas}) a on ST_Intersects(a.geometry, r.geom)
"""


def join(sd: Any, order: dict[str, Any]) -> dict[str, Any]:
    for name in ("records", "airspaces", "countries"):
        sd.read_parquet(order[name]).to_view(name, overwrite=True)
    found = {
        "records": "select count(*) as n from records",
        "pairs": JOIN.format(what="count(*) as n", areas="airspaces"),
        "inCountries": JOIN.format(what="count(distinct id) as n", areas="countries"),
    }
    return {name: pyarrow.table(sd.sql(query)).column("n")[0].as_py() for name, query in found.items()}


def main() -> None:
    sd = sedonadb.connect()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(join(sd, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
