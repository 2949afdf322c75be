"""Spark's side: answers orders, one JSON line each, in one session of as many cores as it is given.

`load` writes rows by JDBC, `join` counts what the job's zone join finds, with Sedona's index or without.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT / "jobs"))

import positions  # noqa: E402
from meridian_jobs.session import spark_session  # noqa: E402
from pyspark import SparkConf, SparkContext  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402

BATCH_ROWS = 10_000
LINEAGE = ("0.0D as speed", "0.0D as altitude", "'cycle' as cycle_id", "1 as generation", "'object' as raw_object", "'v' as raw_version")


def start_spark(scratch: str) -> None:
    jars = [str(path) for path in sorted(Path(os.environ["MERIDIAN_SPARK_JARS"]).glob("*.jar")) if path.name.startswith(("sedona", "geotools"))]
    conf = SparkConf().setMaster("local[2]").setAll(
        [
            ("spark.jars", ",".join([*jars, os.environ["JDBC_JAR"]])),
            ("spark.driver.memory", "2g"),
            ("spark.driver.host", "127.0.0.1"),
            ("spark.ui.enabled", "false"),
            ("spark.serializer", "org.apache.spark.serializer.KryoSerializer"),
            ("spark.kryo.registrator", "org.apache.sedona.core.serde.SedonaKryoRegistrator"),
            ("spark.local.dir", scratch),
            ("spark.sql.warehouse.dir", scratch),
        ]
    )
    SparkContext(conf=conf)


def load(spark: SparkSession, order: dict[str, Any]) -> dict[str, Any]:
    """The rows of the parts, a geometry as text that PostgreSQL casts, by so many connections."""
    rows = spark.range(1, order["rows"] + 1, 1, order["streams"]).selectExpr(
        "id",
        "timestamp'2018-08-01T00:00:00Z' + make_interval(0, 0, 0, 0, 0, 0, id) as seen_at",
        "concat('SRID=4326;POINT(', id % 180, ' ', id % 90, ')') as geom",
        "'bench' as night",
    )
    options = {key: order[key] for key in ("url", "user", "password")}
    rows.write.format("jdbc").mode("append").options(dbtable=order["table"], driver="org.postgresql.Driver", batchsize=BATCH_ROWS, **options).save()
    return {}


def join(spark: SparkSession, order: dict[str, Any]) -> dict[str, Any]:
    """What the job's join finds, by its own SQL; without an index the same SQL compares every record with every area."""
    spark.conf.set("spark.sedona.join.optimizationmode", "nonequi" if order["indexed"] else "none")
    spark.conf.set("spark.sql.shuffle.partitions", 4)
    records = spark.read.parquet(order["records"]).selectExpr(
        "id as raw_line", "timestamp_micros(id) as event_time", "'device' as device_id", "longitude", "latitude",
        *LINEAGE, "ST_Point(longitude, latitude) as geom",
    )
    records.createOrReplaceTempView("records")
    for name in ("airspaces", "countries"):
        areas = spark.read.parquet(order[name]).selectExpr("name", "ST_GeomFromWKB(geometry) as geometry")
        areas.selectExpr("name", "ST_Area(geometry) as area", "geometry").createOrReplaceTempView(name)
    found = spark.sql(positions.LOCATED).selectExpr("count(*) as records", "sum(size(zones)) as pairs", "count(country) as inCountries").first()
    assert found is not None
    return found.asDict()


def main() -> None:
    start_spark(sys.argv[1])
    ways = {"load": load, "join": join}
    with spark_session("bench", partitions=1, sedona=True) as spark:
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            print(json.dumps(ways[order["way"]](spark, order)), flush=True)


if __name__ == "__main__":
    main()
