"""Working along the series of each symbol, all of them at once.

What belongs here: how expressions are kept from reaching into the symbol before. What does not:
what is computed.

A maximum, a minimum, a shift and a sum of integers are exact whatever came before, so they run over
the whole column, and rows too near to the beginning of their symbol are emptied. Running means and
averages carry rounding along: they are computed symbol by symbol, so that a row does not depend on
which other symbols are there.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

POSITION, AFTER = "_position", "_after"
"""How many bars of the symbol come before and after the row."""


def with_positions(frame: pl.DataFrame) -> pl.DataFrame:
    """Adds POSITION and AFTER to rows sorted by symbol."""
    runs = frame["symbol"].rle_id()
    return frame.with_columns(_run=runs).with_columns(
        pl.int_range(pl.len()).over("_run").alias(POSITION),
        (pl.len().cast(pl.Int64).over("_run") - 1 - pl.int_range(pl.len()).over("_run")).alias(
            AFTER
        ),
    )


def since(warm_up: int, value: pl.Expr) -> pl.Expr:
    """The value where so many bars of the symbol come before, else nothing."""
    return pl.when(pl.col(POSITION) >= warm_up).then(value)


def before(column: str | pl.Expr, bars: int) -> pl.Expr:
    """The value so many bars before."""
    value = pl.col(column) if isinstance(column, str) else column
    return since(bars, value.shift(bars))


def highest(column: str, bars: int) -> pl.Expr:
    """The highest of the last bars."""
    return since(bars - 1, pl.col(column).rolling_max(bars))


def lowest(column: str, bars: int) -> pl.Expr:
    """The lowest of the last bars."""
    return since(bars - 1, pl.col(column).rolling_min(bars))


def along(frame: pl.DataFrame, columns: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """Adds columns that are computed symbol by symbol, in the order of the rows.

    Args:
        frame: of `with_positions`.
        columns: expressions over the rows of one symbol.
    """
    if not columns or frame.is_empty():
        return frame.with_columns(pl.lit(None, pl.Float64).alias(name) for name in columns)
    made = frame.group_by("_run", maintain_order=True).agg(**columns).drop("_run")
    return frame.hstack(made.explode(list(columns)).get_columns())


def smoothed(column: str, weight: float, first: int, seed: pl.Expr) -> pl.Expr:
    """An exponential average that begins with a value of its own; for `along`.

    Args:
        column: of the values.
        weight: of the newest value.
        first: position of the row that the average begins with; before it there is none.
        seed: what it is there.
    """
    position = pl.col(POSITION)
    seeded = pl.when(position > first).then(pl.col(column)).when(position == first).then(seed)
    return seeded.ewm_mean(alpha=weight, adjust=False, ignore_nulls=True).forward_fill()
