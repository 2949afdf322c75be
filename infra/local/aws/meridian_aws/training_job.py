"""Touches what jobs touch, so that their classes are in the archive: Sedona's joins and cells, Arrow, Parquet on S3, Deequ.

Run by ``class_archive`` only; its one argument is an ``s3://`` prefix.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import SparkSession


def _as_is(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield from batches


def main(prefix: str) -> None:
    spark = SparkSession.builder.getOrCreate()
    points = spark.sql(
        "select id, timestamp_millis(id) as at, cast(id % 7 as string) as name, id * 1e-3 as x, ST_Point(id * 1e-3, 1.0) as geom, "
        "ST_GeoHash(ST_Point(id * 1e-3, 1.0), 6) as cell from range(0, 2000, 1, 4)")
    points.createOrReplaceTempView("points")
    spark.sql("select 1 as zone, ST_GeomFromWKT('POLYGON((0 0,0 2,1 2,1 0,0 0))') as area union all "
              "select 2, ST_GeomFromWKT('POLYGON((0 0,0 2,3 2,3 0,0 0))')").createOrReplaceTempView("areas")
    joined = spark.sql("select zone, cell, count(*) as n, count(distinct name) as names, avg(x) as mean, "
                       "ST_AsEWKB(ST_SetSRID(ST_Envelope_Aggr(geom), 4326)) as extent from points join areas on ST_Contains(area, geom) "
                       "where ST_IsValid(geom) group by zone, cell")
    ranked = spark.sql("select *, row_number() over (partition by name order by at, id) as place, min_by(cell, x) over (partition by name) "
                       "as first_cell, ST_AsEWKB(ST_SetSRID(geom, 4326)) as bytes from points").drop("geom")
    ranked.mapInArrow(_as_is, ranked.schema).write.mode("overwrite").partitionBy("name").parquet(f"{prefix}ranked")
    joined.write.mode("overwrite").parquet(f"{prefix}joined")
    frame = spark.read.parquet(f"{prefix}ranked").cache()
    frame.join(spark.read.parquet(f"{prefix}joined"), "cell", "left").orderBy("id").toLocalIterator()
    rules = 'Rules = [ RowCount > 0, IsComplete "id", Completeness "x" > 0.5, ColumnValues "x" between -1 and 9, IsPrimaryKey "id" "at" ]'
    evaluation = spark._jvm.com.amazon.deequ.dqdl.EvaluateDataQuality.process(frame._jdf, rules)
    print(frame.count(), evaluation.count(), spark.read.json(spark.sparkContext.parallelize(['{"a": 1}'])).count())
    spark.stop()


if __name__ == "__main__":
    main(sys.argv[1])
