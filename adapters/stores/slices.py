"""The slice of a dataset that a caller names: is a frame one, which rows and files belong to it.

What belongs here: checks of a frame against its slice, and predicates over rows and files.
What does not: reading and writing (delta_table.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from market_data.datasets import Dataset
from market_data.errors import SchemaError
from market_data.ordering import sort_if_needed

EVERYTHING = pl.lit(value=True)

LONGEST_OFFSET = timedelta(days=3)
"""A bar starts less than this from the midnight of its session, so that a store that is cut by time
knows where to look for a range of sessions."""

MOST_YEARS = 200
"""Of a slice that is written: each of its months is locked."""

_NO_SYMBOL = ("\x00", "\x1f")
"""Characters that an engine keeps no text with, or tells symbols apart by."""


def checked_slice(
    dataset: Dataset, frame: pl.DataFrame, sessions: tuple[date, date], symbols: Sequence[str]
) -> pl.DataFrame:
    """The rows of a slice, sorted by `dataset.sort`.

    Raises:
        SchemaError: wrong columns, rows outside the slice or far from their session, a key that is
            there twice, or no slice that can be written.
    """
    dataset.schema.check(frame)
    _check_bounds(dataset, sessions, symbols)
    outside = frame.filter(~rows_of(sessions, symbols))
    if not outside.is_empty():
        row = outside.row(0, named=True)
        raise SchemaError(
            f"{dataset.name}: {outside.height} rows outside the slice {sessions[0]} to "
            f"{sessions[1]}, the first is {row['symbol']} of {row['session']}"
        )
    _check_offsets(dataset, frame)
    rows = sort_if_needed(frame, dataset.sort)
    key = [pl.col(name) for name in dataset.sort]
    again = pl.all_horizontal(column == column.shift() for column in key)
    if rows.select(again.any()).item():
        twice = rows.filter(again).select(key)
        raise SchemaError(f"{dataset.name}: {twice.height} rows repeat a key: {twice.row(0)}")
    return rows


def _check_bounds(dataset: Dataset, sessions: tuple[date, date], symbols: Sequence[str]) -> None:
    first, last = sessions
    if first > last:
        raise SchemaError(f"{dataset.name}: slice ends before it begins: {sessions}")
    if last.year - first.year >= MOST_YEARS:
        raise SchemaError(
            f"{dataset.name}: a slice of {first} to {last} is not written at once: replace at most "
            f"{MOST_YEARS} years"
        )
    for symbol in symbols:
        if not symbol or any(character in symbol for character in _NO_SYMBOL):
            raise SchemaError(
                f"{dataset.name}: {symbol!r} is no symbol: it is empty, or holds a control "
                "character (0 or 31)"
            )


def _check_offsets(dataset: Dataset, frame: pl.DataFrame) -> None:
    if dataset.time_column != "ts":
        return
    near = (pl.col("ts") - midnight(pl.col("session"))).is_between(
        -LONGEST_OFFSET, LONGEST_OFFSET, closed="none"
    )
    if frame.select(near.all()).item():
        return
    far = frame.filter(~near)
    row = far.row(0, named=True)
    raise SchemaError(
        f"{dataset.name}: {far.height} rows lie days away from their session, the first is "
        f"{row['symbol']} at {row['ts']} of {row['session']}"
    )


def midnight(session: pl.Expr) -> pl.Expr:
    """The beginning of a session's date in UTC."""
    return session.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def rows_of(sessions: tuple[date, date] | None, symbols: Sequence[str] | None) -> pl.Expr:
    """Predicate over rows: inside these sessions, both included, and of these symbols."""
    inside = EVERYTHING if sessions is None else pl.col("session").is_between(*sessions)
    if symbols is None:
        return inside
    wanted = list(dict.fromkeys(symbols))
    if len(wanted) == 1:  # an equality reaches the statistics of the row groups
        return inside & (pl.col("symbol") == wanted[0])
    return inside & pl.col("symbol").is_in(pl.Series(wanted, dtype=pl.String).implode())


def files_of(sessions: tuple[date, date] | None, symbols: Sequence[str] | None) -> pl.Expr:
    """Predicate over `Snapshot.files`: may hold such rows."""
    may = EVERYTHING
    if sessions is not None:
        may = may & overlaps("session", *sessions)
    if symbols is not None:
        if not symbols:
            return pl.lit(value=False)
        may = may & overlaps("symbol", min(symbols), max(symbols))
    return may


def overlaps(column: str, low: str | date | None, high: str | date | None) -> pl.Expr:
    """Predicate over `Snapshot.files`: the file's range may meet [low, high]; None is open."""
    may = EVERYTHING
    if low is not None:
        may = may & (pl.col(f"max.{column}") >= low).fill_null(value=True)
    if high is not None:
        may = may & (pl.col(f"min.{column}") <= high).fill_null(value=True)
    return may


def limit(dataset: Dataset, value: datetime | date | None) -> datetime | date | None:
    """A limit of a scan in the type of the dataset's time column.

    A date is its midnight in UTC; on a dataset without `ts` a time counts as its UTC date.

    Raises:
        SchemaError: a time without a zone.
    """
    if value is None:
        return None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise SchemaError(f"{dataset.name}: {value} has no time zone; times are UTC")
        value = value.astimezone(UTC)
        return value if dataset.time_column == "ts" else value.date()
    if dataset.time_column == "ts":
        return datetime.combine(value, time(), UTC)
    return value
