"""Between Polars frames and the rows of a driver, in bulk.

What belongs here: writing a frame with one statement, reading a query into a frame, filters that
hold for any number of values.
What does not: what a table means (the file of its port).

Rows pass by SQLAlchemy's per-value conversions, which would more than double the time of a bulk
write: instants travel as integers, as they are stored; dates as text in SQLite, as dates elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.sql.dml import Insert

from adapters.operations.models import NUL, REPLACEMENT, storable
from market_data.schemas import FrameSchema

_CHUNK = 20_000
_ARRAY_TYPES: dict[Any, Any] = {
    pl.String: sa.String(),
    pl.Date: sa.Date(),
    pl.Int64: sa.BigInteger(),
    pl.Float64: sa.Double(),
    pl.Boolean: sa.Boolean(),
}
_INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


def upsert_into(table: sa.Table, connection: Connection) -> Any:
    """An INSERT that knows ON CONFLICT, in the dialect of a connection."""
    return _INSERTS[connection.dialect.name](table)


def checked(frame: pl.DataFrame, schema: FrameSchema) -> pl.DataFrame:
    """The frame as its schema wants it, and as both engines keep its texts.

    Raises:
        SchemaError: a column is missing, of another type, or empty where it must not be.
    """
    conformed = schema.conform(frame)
    schema.check(conformed)
    return storable_texts(conformed)


def storable_texts(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with its texts as both engines keep them, see `models.storable`.

    Before anything is done by key: what is kept alike must not come twice in one statement.
    """
    return frame.with_columns(pl.col(pl.String).str.replace_all(NUL, REPLACEMENT, literal=True))


def write_frame(connection: Connection, statement: Insert, frame: pl.DataFrame) -> None:
    """Insert every row of a frame by one statement, in chunks, in the connection's transaction.

    Args:
        connection: inside a transaction.
        statement: an INSERT without values.
        frame: rows with `storable_texts`, in the order in which they are to be written; none may
            meet the conflict target of the statement twice.
    """
    if connection.dialect.name == "postgresql":
        for chunk in frame.iter_slices(_CHUNK):
            _insert_arrays(connection, statement, _to_driver(chunk, connection))
        return
    compiled = statement.compile(
        dialect=connection.dialect, column_keys=frame.columns, for_executemany=True
    )
    rows = _to_driver(frame, connection)
    for chunk in rows.iter_slices(_CHUNK):
        connection.exec_driver_sql(str(compiled), chunk.select(compiled.positiontup).rows())


def read_frame(
    connection: Connection, query: sa.Select[Any], dtypes: Mapping[str, pl.DataType]
) -> pl.DataFrame:
    """The rows of a query as a frame.

    Args:
        connection: inside a transaction.
        query: selects the columns of `dtypes`, in that order.
        dtypes: names and types of the frame.
    """
    result = connection.execute(query)
    cursor: Any = result.cursor
    columns = list(zip(*cursor.fetchall(), strict=True))
    result.close()
    if not columns:
        return pl.DataFrame(schema=dict(dtypes))
    driver = [
        pl.Series(name, values, dtype=_from_driver(dtype, connection))
        for (name, dtype), values in zip(dtypes.items(), columns, strict=True)
    ]
    return pl.DataFrame(driver).with_columns(
        pl.col(name).str.to_date("%Y-%m-%d")
        if dtype == pl.Date and driver[i].dtype == pl.String
        else pl.col(name).cast(dtype)
        for i, (name, dtype) in enumerate(dtypes.items())
    )


def among(
    column: sa.ColumnElement[str], values: Sequence[str], connection: Connection
) -> sa.ColumnElement[bool]:
    """Whether a column holds one of the values: one bound parameter, however many they are."""
    texts = [storable(value) for value in values]
    if connection.dialect.name == "postgresql":
        return column == sa.any_(sa.cast(texts, postgresql.ARRAY(sa.String())))
    listed = sa.func.json_each(json.dumps(texts)).table_valued("value")
    return column.in_(sa.select(listed.c.value))


def filters(
    table: sa.Table,
    connection: Connection,
    *,
    among_values: Mapping[str, Sequence[str] | None],
    timeframe: str | None = None,
    sessions: tuple[date, date] | None = None,
) -> list[sa.ColumnElement[bool]]:
    """Conditions for what was given; None stands for no condition.

    Args:
        table: has the columns that are named, and `timeframe` and `session` where those are given.
        connection: tells the dialect.
        among_values: column to the values it may have.
        timeframe: the only one wanted.
        sessions: first and last session, both included.
    """
    conditions = [
        among(table.c[name], values, connection)
        for name, values in among_values.items()
        if values is not None
    ]
    if timeframe is not None:
        conditions.append(table.c.timeframe == str(timeframe))
    if sessions is not None:
        conditions.append(table.c.session.between(*sessions))
    return conditions


def _insert_arrays(connection: Connection, statement: Insert, rows: pl.DataFrame) -> None:
    """One statement for all rows: an array per column, several times faster than row by row."""
    arrays = [
        sa.cast(column.to_list(), postgresql.ARRAY(_ARRAY_TYPES[column.dtype.base_type()]))
        for column in rows
    ]
    source = sa.func.unnest(*arrays).table_valued(*rows.columns).render_derived()
    connection.execute(
        statement.from_select(rows.columns, sa.select(*(source.c[name] for name in rows.columns)))
    )


def _to_driver(frame: pl.DataFrame, connection: Connection) -> pl.DataFrame:
    lazily = [pl.col(pl.Datetime).dt.epoch("us")]
    if connection.dialect.name == "sqlite":
        lazily.append(pl.col(pl.Date).cast(pl.String))
    return frame.with_columns(*lazily)


def _from_driver(dtype: pl.DataType, connection: Connection) -> pl.DataType:
    """The type in which a driver hands over a column."""
    if isinstance(dtype, pl.Datetime):
        return pl.Int64()
    if connection.dialect.name == "sqlite":
        return {pl.Date(): pl.String(), pl.Boolean(): pl.Int64()}.get(dtype, dtype)
    return dtype
