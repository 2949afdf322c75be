"""Positions with the airspace and country they fall in, and the activity of every airspace by hour."""

import sys
from typing import Sequence

from meridian_jobs import Relation, TransformJob, run

# The polygons are some megabytes however many the records are: every executor gets an index of them, and no record travels.
# Rows of one record then meet by all that it holds, its line first, since that tells most apart at once. `zones` are its
# airspaces, the smallest first, equal ones by name.
LOCATED = """
with in_zones as (
  select /*+ broadcast(airspaces) */ records.*, airspaces.name as zone_name, airspaces.area as zone_area
  from records left join airspaces on ST_Intersects(airspaces.geometry, records.geom)
), in_countries as (
  select /*+ broadcast(countries) */ in_zones.*, countries.name as country_name, countries.area as country_area
  from in_zones left join countries on ST_Intersects(countries.geometry, in_zones.geom)
)
select raw_line, raw_object, raw_version, event_time, device_id, longitude, latitude, speed, altitude, cycle_id, generation,
  array_distinct(transform(
    array_sort(collect_set(struct(zone_area, zone_name)) filter (where zone_name is not null)), zone -> zone.zone_name
  )) as zones,
  (min(struct(country_area, country_name)) filter (where country_name is not null)).country_name as country
from in_countries
group by raw_line, raw_object, raw_version, event_time, device_id, longitude, latitude, speed, altitude, cycle_id, generation
"""

POSITIONS = """
select *, get(zones, 0) as zone, ST_Point(longitude, latitude) as geom, ST_GeoHash(ST_Point(longitude, latitude), 7) as cell
from located
"""

ZONE_ACTIVITY = """
select zone, date_trunc('hour', event_time) as hour, count(*) as records, count(distinct device_id) as devices,
  avg(speed) as mean_speed, ST_Envelope_Agg(ST_Point(longitude, latitude)) as extent
from (select *, explode(zones) as zone from located)
group by zone, date_trunc('hour', event_time)
"""

POSITIONS_RELATION = Relation(
    "positions",
    {
        "event_time": "timestamptz",
        "device_id": "text",
        "geom": "geometry(Point,4326)",
        "longitude": "double precision",
        "latitude": "double precision",
        "speed": "double precision",
        "altitude": "double precision",
        "zone": "text",
        "country": "text",
        "cell": "text",
        "cycle_id": "text",
        "generation": "integer",
        "raw_object": "text",
        "raw_line": "bigint",
    },
    per_record=True,
    order_by=("event_time", "longitude", "latitude"),
)

ZONE_ACTIVITY_RELATION = Relation(
    "zone_activity",
    {
        "zone": "text",
        "hour": "timestamptz",
        "records": "bigint",
        "devices": "bigint",
        "mean_speed": "double precision",
        "extent": "geometry(Geometry,4326)",
    },
    order_by=("zone", "hour"),
)


def positions(job: TransformJob) -> None:
    job.read_records()
    job.read_reference("airspaces")
    job.read_reference("countries")
    # Both relations come from the same joined rows.
    located = job.sql(LOCATED).persist()
    located.createOrReplaceTempView("located")
    job.write_relation(job.sql(POSITIONS), POSITIONS_RELATION)
    job.write_relation(job.sql(ZONE_ACTIVITY), ZONE_ACTIVITY_RELATION)
    located.unpersist()


def main(argv: Sequence[str]) -> None:
    run(positions, argv)


if __name__ == "__main__":
    main(sys.argv)
