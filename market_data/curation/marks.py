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
    by_session = given.filter(pl.col("ts").is_null())
    by_row = given.filter(pl.col("ts").is_not_null())
    for part, keys in ((by_session, ["symbol", "session"]), (by_row, ["symbol", "ts"])):
        if not part.is_empty():
            bars = _joined(bars, part, keys)
    return bars


def _joined(bars: pl.DataFrame, marks: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    summary = marks.group_by(keys).agg(
        _flags=pl.col("flag").unique().sort().str.join(","),
        _rank=pl.col("severity").replace_strict(_RANK, return_dtype=pl.UInt8).max(),
    )
    joined = bars.join(summary, on=keys, how="left", maintain_order="left")
    # Few different pairs exist however many rows there are: texts are taken apart once per pair.
    pairs = joined.select("flags", "_flags", "dq_status", "_rank").unique()
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
    columns = ["flags", "_flags", "dq_status", "_rank"]
    return (
        joined.join(settled, on=columns, how="left", nulls_equal=True, maintain_order="left")
        .with_columns(flags="_all", dq_status="_status")
        .select(bars.columns)
    )
