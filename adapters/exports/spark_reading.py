"""The rows of a source as a Spark frame: files of the lake, or JDBC along chunks.

What belongs here: schemas, predicates, connection properties. What does not: writing
(spark_engine.py), what a source is (sources.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

import polars as pl

from adapters.exports.settings import SparkSettings
from adapters.exports.sources import LakeReading, Reading, TimescaleReading
from adapters.timescale.tables import columns_of, table_of
from market_data.errors import ConfigurationError
from market_data.exports.jobs import ExportJob, Unit, whole_range
from market_data.schemas import FrameSchema

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

    from adapters.timescale.settings import TimescaleSettings

DRIVER = "org.postgresql.Driver"
_TLS = ("sslmode", "sslrootcert", "sslcert", "sslkey")
_TYPES = {
    pl.String: "string",
    pl.Float64: "double",
    pl.Float32: "float",
    pl.Int64: "bigint",
    pl.Int32: "int",
    pl.Int16: "smallint",
    pl.Int8: "tinyint",
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.Datetime: "timestamp",
}


def spark_schema(schema: FrameSchema) -> StructType:
    """The columns of a dataset as Spark names them.

    Raises:
        ConfigurationError: Spark has no type for a column.
    """
    from pyspark.sql.types import StructField, StructType, _parse_datatype_string

    fields = []
    for name, dtype in schema.dtypes.items():
        told = _TYPES.get(dtype.base_type())
        if told is None:
            raise ConfigurationError(f"{schema.name}: Spark has no type for {name} ({dtype})")
        fields.append(StructField(name, _parse_datatype_string(told)))
    return StructType(fields)


def spark_frame(
    spark: SparkSession,
    settings: SparkSettings,
    job: ExportJob,
    reading: Reading,
    units: Sequence[Unit],
) -> DataFrame | None:
    """The rows of some units that are handed out; None where the source has none.

    Raises:
        ConfigurationError: TimescaleDB is read and EMP_SPARK_JDBC_JAR is not set.
    """
    if isinstance(reading, LakeReading):
        paths = reading.paths(units)
        if not paths:
            return None
        if "://" in paths[0]:
            raise ConfigurationError(
                "Spark reads a lake in folders alone: set EMP_EXPORT_ENGINE=polars to export from "
                "an object store"
            )
        frame = spark.read.schema(spark_schema(job.dataset.schema)).parquet(*paths)
    elif isinstance(reading, TimescaleReading):
        predicates = _predicates(job, reading, units)
        if not predicates:
            return None
        frame = _jdbc(spark, settings, job, reading.settings, predicates)
    else:
        raise ConfigurationError(f"Spark cannot read {reading.kind}")
    if job.withholds:
        frame = _marked(spark, frame, pl.concat([reading.marks(unit) for unit in units]))
    served = frame.filter(job.where) if job.where else frame
    return served.select(*job.dataset.schema.names)


def _marked(spark: SparkSession, frame: DataFrame, marks: pl.DataFrame) -> DataFrame:
    """Rows with the flags and statuses of `marks`, which every executor gets as a whole."""
    if marks.is_empty():
        return frame
    import pyarrow as pa
    from pyspark.sql import functions as f

    types = pa.schema(
        [
            ("symbol", pa.string()),
            ("ts", pa.timestamp("us", tz="UTC")),
            ("_flags", pa.string()),
            ("_status", pa.string()),
        ]
    )
    told = marks.to_arrow(compat_level=pl.CompatLevel.oldest()).rename_columns(types.names)
    said = spark.createDataFrame(told.cast(types))
    joined = frame.join(f.broadcast(said), ["symbol", "ts"], "left")
    return joined.withColumns(
        {
            "flags": f.coalesce("_flags", "flags"),
            "dq_status": f.coalesce("_status", "dq_status"),
        }
    )


def _jdbc(
    spark: SparkSession,
    settings: SparkSettings,
    job: ExportJob,
    timescale: TimescaleSettings,
    predicates: list[str],
) -> DataFrame:
    jars = spark.conf.get("spark.jars", "") or ""
    if settings.jdbc_jar is None and "postgresql" not in jars:
        raise ConfigurationError(
            "Spark reads TimescaleDB by PostgreSQL's JDBC driver: set EMP_SPARK_JDBC_JAR to its "
            "jar (docs/exports.md says where it comes from), or set EMP_EXPORT_ENGINE=polars"
        )
    url, properties = jdbc_properties(timescale, settings.fetch_size)
    # Identifiers of the registry alone.
    table = f"(select {columns_of(job.dataset)} from {table_of(job.dataset).quoted}) as bars"  # noqa: S608
    return spark.read.jdbc(url, table, predicates=predicates, properties=properties)


def jdbc_properties(settings: TimescaleSettings, fetch_size: int) -> tuple[str, dict[str, str]]:
    """The JDBC address of a server without a login, and the properties of a connection."""
    parts = urlsplit(settings.conninfo())
    given = dict(parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True))
    properties = {
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "driver": DRIVER,
        "fetchsize": str(fetch_size),
        "ApplicationName": given.get("application_name", "emp"),
        "connectTimeout": given.get("connect_timeout", "10"),
        "tcpKeepAlive": "true",
        **{name: given[name] for name in _TLS if name in given},
    }
    if "options" in given:
        properties["options"] = given["options"]
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"jdbc:postgresql://{host}:{parts.port or 5432}{parts.path}", properties


def _predicates(job: ExportJob, reading: TimescaleReading, units: Sequence[Unit]) -> list[str]:
    """One condition per chunk that may hold rows of the units: every row meets exactly one."""
    first, last = whole_range(units)
    time = table_of(job.dataset).time
    found = []
    known = chunks(reading.settings, job)
    if not known and reading.held() is not None:
        raise ConfigurationError(
            f"TimescaleDB tells of no chunk of {job.dataset.name}, which has rows: the table is no "
            "hypertable, or the user of TIMESCALEDB_URL may not see it as one"
        )
    for start, end in known:
        # A bar starts less than three days from the midnight of its session.
        if end.date().toordinal() < first.toordinal() - 3:
            continue
        if start.date().toordinal() > last.toordinal() + 3:
            continue
        found.append(
            f"{time} >= {_literal(start, time)} and {time} < {_literal(end, time)} "
            f"and session >= date '{first}' and session <= date '{last}'"
        )
    return found


def _literal(moment: datetime, time: str) -> str:
    if time == "ts":
        return f"timestamptz '{moment:%Y-%m-%d %H:%M:%S.%f}+00'"
    return f"date '{moment:%Y-%m-%d}'"


def chunks(settings: TimescaleSettings, job: ExportJob) -> list[tuple[datetime, datetime]]:
    """Start and end of each chunk of a dataset's table, oldest first."""
    import psycopg

    from adapters.timescale.errors import explained

    table = table_of(job.dataset)
    statement = (
        "select range_start, range_end from timescaledb_information.chunks "
        "where hypertable_schema = %s and hypertable_name = %s order by 1"
    )
    try:
        with psycopg.connect(settings.conninfo()) as connection:
            rows: list[Any] = connection.execute(statement, (table.schema, table.name)).fetchall()
    except psycopg.Error as error:
        raise explained(error, settings) from None
    return [(start.astimezone(UTC), end.astimezone(UTC)) for start, end in rows]
