"""Columns as pipelines declare them, and how Spark, Arrow and PostgreSQL's binary COPY spell each type."""

from __future__ import annotations

from typing import Mapping

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame

from .errors import JobError

# PostgreSQL's binary COPY has no casts: a Spark type must have exactly the width of the declared column.
_SPARK_TYPES = {
    "timestamptz": "timestamp",
    "date": "date",
    "text": "string",
    "bigint": "bigint",
    "integer": "int",
    "double precision": "double",
    "boolean": "boolean",
    "geometry(Point,4326)": "binary",
    "geometry(Geometry,4326)": "binary",
}


def is_geometry(declared: str) -> bool:
    return declared.startswith("geometry(")


def select_declared(df: DataFrame, columns: Mapping[str, str], relation: str) -> DataFrame:
    """The declared columns in their order, geometry as EWKB, SRID 4326: the only form that PostGIS' binary input takes.

    @raises JobError naming every column that is missing or of another type than declared
    """
    unknown = [f"{name} {declared}" for name, declared in columns.items() if declared not in _SPARK_TYPES]
    if unknown:
        raise JobError(f'Relation "{relation}" declares types that cannot be written: {", ".join(unknown)}')
    names = set(df._jdf.columns())  # df.columns would want Sedona's Python classes only to name a geometry's type
    missing = [name for name in columns if name not in names]
    if missing:
        raise JobError(
            f'Relation "{relation}" lacks column(s) {", ".join(missing)}: its query gives {", ".join(sorted(names))}'
        )
    try:
        selected = df.selectExpr(
            *(
                f"ST_AsEWKB(ST_SetSRID(`{name}`, 4326)) as `{name}`" if is_geometry(declared) else f"`{name}`"
                for name, declared in columns.items()
            )
        )
    except AnalysisException as error:
        raise JobError(f'Relation "{relation}" has a geometry column that is no geometry: {error}') from error
    wrong = [
        f"{field.name}: declared {columns[field.name]} ({_SPARK_TYPES[columns[field.name]]}), found {field.dataType.simpleString()}"
        for field in selected.schema.fields
        if field.dataType.simpleString() != _SPARK_TYPES[columns[field.name]]
    ]
    if wrong:
        raise JobError(f'Relation "{relation}" has columns of other types than declared; cast them: {"; ".join(wrong)}')
    return selected
