"""How a dataset is cut into units, the pieces that are read, locked and rewritten as a whole.

What belongs here: from a row, or from a slice of sessions and symbols, to the names of its units.
What does not: files and commits (delta_table.py).

A unit is a folder of the table: "year=2024" or "month=2024-01/bucket=3". The folder names are the
partition columns of the Delta table and never appear in a frame.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from zlib import crc32

import polars as pl

from market_data.datasets import Layout

BUCKETS = 8
"""Symbol buckets per month: some hundred symbols of 1m bars make files of 5 to 50 MB."""


def partition_columns(layout: Layout) -> dict[str, pl.DataType]:
    """Partition columns of a layout and their types."""
    if layout is Layout.YEAR:
        return {"year": pl.String()}
    return {"month": pl.String(), "bucket": pl.String()}


def bucket_of(symbol: str) -> int:
    """The bucket of a symbol, the same in every process and every version of Python."""
    return crc32(symbol.encode()) % BUCKETS


def unit_values(unit: str) -> dict[str, str]:
    """Partition values of a unit: {"month": "2024-01", "bucket": "3"}."""
    return dict(part.split("=", 1) for part in unit.split("/"))


def first_day(period: str) -> date:
    """The first day of the period with which a unit's name begins: "month=2024-02", "year=2024"."""
    year, _, month = period.partition("=")[2].partition("-")
    return date(int(year), int(month or 1), 1)


def units_of_slice(
    layout: Layout, sessions: tuple[date, date], symbols: Iterable[str]
) -> list[str]:
    """Every unit that may hold rows of the slice, sorted."""
    first, last = sessions
    if layout is Layout.YEAR:
        return [f"year={year:04d}" for year in range(first.year, last.year + 1)]
    buckets = sorted({bucket_of(symbol) for symbol in symbols})
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [
        f"month={month // 12:04d}-{month % 12 + 1:02d}/bucket={bucket}"
        for month in months
        for bucket in buckets
    ]


def may_hold(layout: Layout, symbols: Sequence[str] | None) -> pl.Expr:
    """Predicate over a column `unit`: rows of these symbols may lie in it."""
    if symbols is None or layout is Layout.YEAR:
        return pl.lit(value=True)
    buckets = [f"bucket={bucket}" for bucket in {bucket_of(symbol) for symbol in symbols}]
    return pl.col("unit").str.split("/").list.last().is_in(buckets)


def split(layout: Layout, frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The rows of each unit, in the order of `frame`.

    Args:
        layout: how the dataset is cut.
        frame: rows with `symbol` and `session`.
    """
    if frame.is_empty():
        return {}
    year = pl.col("session").dt.year().alias("_year")
    if layout is Layout.YEAR:
        groups = frame.with_columns(year).partition_by(
            "_year", maintain_order=True, include_key=False, as_dict=True
        )
        return {f"year={key[0]:04d}": part for key, part in groups.items()}
    symbols = frame["symbol"].unique().to_list()
    buckets = pl.Series([bucket_of(symbol) for symbol in symbols], dtype=pl.Int8)
    groups = frame.with_columns(
        year,
        pl.col("session").dt.month().alias("_month"),
        pl.col("symbol").replace_strict(symbols, buckets, return_dtype=pl.Int8).alias("_bucket"),
    ).partition_by(
        "_year", "_month", "_bucket", maintain_order=True, include_key=False, as_dict=True
    )
    return {
        f"month={key[0]:04d}-{key[1]:02d}/bucket={key[2]}": part for key, part in groups.items()
    }
