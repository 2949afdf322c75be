"""Reference data: Parquet with `name` (text) and `geometry` (WKB polygons, longitude and latitude)."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from .errors import JobError
from .task import TransformTask


def read_reference(spark: SparkSession, task: TransformTask, name: str) -> DataFrame:
    """`name`, `geometry`, `area` in square degrees.

    @raises JobError when the document has no such reference, or it has not the two columns, or no row
    """
    uri = task.references.get(name)
    if uri is None:
        known = ", ".join(task.references) or "none"
        raise JobError(f'The input document has no reference "{name}", only {known}: declare it in transform.references')
    stored = spark.read.option("__globPaths__", "false").parquet(uri)
    missing = [column for column in ("name", "geometry") if column not in stored.columns]
    if missing:
        raise JobError(f"Reference {uri} lacks column(s) {', '.join(missing)}: it has {', '.join(stored.columns)}")
    if stored.isEmpty():
        raise JobError(f"Reference {uri} has no rows: every record would be outside of everything")
    # A polygon that crosses itself makes joins fail or lie; mending one that is whole changes nothing.
    shapes = stored.selectExpr("name", "ST_GeomFromWKB(geometry) as shape").selectExpr(
        "name", "if(ST_IsValid(shape), shape, ST_MakeValid(shape)) as geometry"
    )
    return shapes.where("geometry is not null").selectExpr("name", "geometry", "ST_Area(geometry) as area")
