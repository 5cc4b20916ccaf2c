"""Flags and statuses of curated rows.

What belongs here: how findings about a symbol-session, or about a row, become the columns `flags`
and `dq_status`. What does not: finding them.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from market_data.schemas import UTC

MARKS = {
    "symbol": pl.String(),
    "session": pl.Date(),
    "ts": UTC,
    "flag": pl.String(),
    "severity": pl.String(),
}
"""A mark: a code and its severity (warn or error) for a symbol-session; where `ts` is given, for
the bar that starts then alone."""

_RANK = {"ok": 0, "warn": 1, "error": 2}
_NAMES = pl.Series(list(_RANK))


def session_marks(sessions: pl.DataFrame, flag: str) -> pl.DataFrame:
    """Marks from columns symbol, session, severity; rows without a severity are left out."""
    return sessions.drop_nulls("severity").select(
        "symbol",
        "session",
        ts=pl.lit(None, dtype=UTC),
        flag=pl.lit(flag),
        severity="severity",
    )


def with_marks(bars: pl.DataFrame, marks: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Add marks to bars that may carry some already.

    Args:
        bars: symbol, ts, session, flags, dq_status.
        marks: frames of MARKS.

    Returns:
        The same rows in the same order. `flags` are sorted, each once; `dq_status` is the worst
        of what it was and of the marks' severities.
    """
    given = pl.concat([pl.DataFrame(schema=MARKS), *marks])
    by_session = given.get_column("ts").is_null()
    for part, keys in (
        (given.filter(by_session), ["symbol", "session"]),
        (given.filter(~by_session), ["symbol", "ts"]),
    ):
        if not part.is_empty():
            bars = _joined(bars, part, keys)
    return bars


def _joined(bars: pl.DataFrame, marks: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    summary = marks.group_by(keys).agg(
        _flags=pl.col("flag").unique().sort().str.join(","),
        _rank=pl.col("severity").replace_strict(_RANK, return_dtype=pl.UInt8).max(),
    )
    # Marks are few, mostly: whatever else is done, is done for the bars that may carry one alone.
    near = bars.select(pl.col(keys[1]).is_in(marks[keys[1]].unique().implode()).arg_true())
    rows = near.to_series()
    touched = (
        bars[rows]
        .select(*keys, "flags", "dq_status", _row=pl.Series(rows))
        .join(summary, on=keys, maintain_order="left")
    )
    if touched.is_empty():
        return bars
    settled = _settled(touched)
    return bars.with_columns(
        bars[name].scatter(settled["_row"], settled[name]) for name in ("flags", "dq_status")
    )


def _settled(touched: pl.DataFrame) -> pl.DataFrame:
    """Columns _row, flags and dq_status of bars with their marks."""
    # Few different pairs exist however many rows there are: texts are taken apart once per pair.
    pairs = touched.select("flags", "_flags", "dq_status", "_rank").unique()
    both = pl.concat_str(
        pl.col("flags").replace("", None), "_flags", separator=",", ignore_nulls=True
    )
    rank = pl.max_horizontal(
        pl.col("dq_status").replace_strict(_RANK, return_dtype=pl.UInt8), "_rank"
    )
    settled = pairs.with_columns(
        _all=both.str.split(",").list.unique().list.sort().list.join(","),
        _status=rank.replace_strict(dict(enumerate(_NAMES)), return_dtype=pl.String),
    )
    joined = touched.join(
        settled, on=pairs.columns, how="left", nulls_equal=True, maintain_order="left"
    )
    return joined.select("_row", flags="_all", dq_status="_status")
