"""The order of rows: sorted input is recognised and never sorted again; runs of equal keys.

What belongs here: neighbour comparisons over a frame sorted by its key. What does not: what the
rows mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from polars.dataframe.group_by import GroupBy

KEY = ("symbol", "ts")


def is_sorted(frame: pl.DataFrame, by: Sequence[str] = KEY) -> bool:
    """Whether the rows are in lexicographic, ascending order of some columns (none of them null).

    One comparison with the neighbour per column, and only as long as earlier columns tie: far
    cheaper than a sort, which does not notice that there is nothing to do.
    """
    if frame.height < 2:
        return True
    tied: pl.Series | None = None
    for name in by:
        column = frame.get_column(name)
        before, after = column.head(-1), column.tail(-1)
        changed = before != after
        if tied is None:
            # Long runs of one value: only their first values have to be in order.
            in_order = column.head(1).append(after.filter(changed)).is_sorted()
            tied = ~changed
        else:
            in_order = not (tied & (after < before)).any()
            tied = tied & ~changed
        if not in_order:
            return False
        if not tied.any():
            return True
    return True


def sort_if_needed(frame: pl.DataFrame, by: Sequence[str] = KEY) -> pl.DataFrame:
    """The rows in ascending order of some columns; the frame itself where they already are.

    Rows that tie keep their order, so that one log reads the same whatever files it lies in.
    """
    return frame if is_sorted(frame, by) else frame.sort(by, maintain_order=True)


def repeats_key(frame: pl.DataFrame) -> pl.Series | None:
    """Which rows have the (symbol, ts) of the row before them; None where no row has.

    Args:
        frame: sorted by (symbol, ts).
    """
    if frame.height < 2:
        return None
    ts, symbol = frame.get_column("ts"), frame.get_column("symbol")
    same = ts == ts.shift(1)
    # Equal times are rare in sorted rows: only then is the dearer comparison of texts made.
    if not same.any():
        return None
    same = (same & (symbol == symbol.shift(1))).fill_null(value=False)
    return same if same.any() else None


def starts_of_runs(frame: pl.DataFrame) -> pl.Series:
    """Whether a row has another symbol or session than the row before it, as the first one has."""
    symbol, session = frame.get_column("symbol"), frame.get_column("session")
    return ((symbol != symbol.shift(1)) | (session != session.shift(1))).fill_null(value=True)


def by_runs(frame: pl.DataFrame) -> GroupBy:
    """The rows of each symbol and session together, in their order, with the group's name `run`.

    Args:
        frame: rows of a symbol and session stand together. Numbers that are in order are grouped
            several times as fast as the names of symbols.
    """
    return frame.group_by(numbers_of_runs(starts_of_runs(frame)), maintain_order=True)


def numbers_of_runs(starts: pl.Series) -> pl.Series:
    """Of each row the number of its run, from 0; `run`, UInt32, sorted.

    Args:
        starts: whether a row begins a run, as the first one does.
    """
    first = starts.arg_true().cast(pl.Int64)
    ends = first.tail(-1).append(pl.Series([len(starts)], dtype=pl.Int64))
    return numbered(ends.head(len(first)) - first)


def numbered(rows: pl.Series) -> pl.Series:
    """The numbers 0, 1, 2 ..., each as often as `rows` says; `run`, UInt32, sorted."""
    import numpy as np

    numbers = np.repeat(np.arange(len(rows), dtype=np.uint32), rows.to_numpy())
    return pl.Series("run", numbers, dtype=pl.UInt32).set_sorted()


def runs(frame: pl.DataFrame) -> pl.DataFrame:
    """The runs of rows of one symbol and session in a frame sorted by (symbol, ts).

    Returns:
        Columns symbol, session, first and last (`ts` of the run's first and last row), rows.
        A symbol-session has one row, since later bars never belong to an earlier session.
    """
    if frame.is_empty():
        return frame.select(
            "symbol", "session", first="ts", last="ts", rows=pl.lit(0, dtype=pl.Int64)
        )
    symbol, session = frame.get_column("symbol"), frame.get_column("session")
    starts = starts_of_runs(frame).arg_true().cast(pl.Int64)
    ends = starts.tail(-1).append(pl.Series([frame.height], dtype=pl.Int64))
    ts = frame.get_column("ts")
    return pl.DataFrame(
        {
            "symbol": symbol.gather(starts),
            "session": session.gather(starts),
            "first": ts.gather(starts),
            "last": ts.gather(ends - 1),
            "rows": ends - starts,
        }
    )
