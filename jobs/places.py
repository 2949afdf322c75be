"""Named places, a point each: the least that a job can be."""

import sys

from meridian_jobs import Relation, TransformJob, run

PLACES = "select event_time, id, name, geom, cycle_id, generation, raw_object, raw_line from records"

PLACES_RELATION = Relation(
    "places",
    {
        "event_time": "timestamptz",
        "id": "text",
        "name": "text",
        "geom": "geometry(Point,4326)",
        "cycle_id": "text",
        "generation": "integer",
        "raw_object": "text",
        "raw_line": "bigint",
    },
    per_record=True,
)


def places(job: TransformJob) -> None:
    job.read_records()
    job.write_relation(job.sql(PLACES), PLACES_RELATION)


if __name__ == "__main__":
    run(places, sys.argv)
