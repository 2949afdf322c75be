"""Reference data: Parquet with `name` (text) and `geometry` (WKB polygons, longitude and latitude)."""

from __future__ import annotations

from pyspark.sql import DataFrame, SparkSession

from .errors import JobError
from .task import TransformTask


def read_reference(spark: SparkSession, task: TransformTask, name: str) -> DataFrame:
    """`name`, `area` in square degrees, `geometry`: a row for each polygon of an area, so names repeat.

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
    # Taken as they are: whether a point is inside is a count of crossings, which a border that touches itself does not
    # disturb, and mending the fifty such countries of Natural Earth would take longer than the join.
    shapes = stored.where("geometry is not null").selectExpr("name", "ST_GeomFromWKB(geometry) as whole")
    areas = shapes.selectExpr("name", "ST_Area(whole) as area", "whole")  # before the dump, or once for each polygon
    # An index is only as good as its boxes: a country with islands all around the world would be everybody's candidate.
    return areas.selectExpr("name", "area", "explode(ST_Dump(whole)) as geometry")
