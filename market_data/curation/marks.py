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

_KEYS = (["symbol", "session"], ["symbol", "ts"])


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
    single = given.get_column("ts").is_not_null()
    for part, keys in zip((given.filter(~single), given.filter(single)), _KEYS, strict=True):
        if not part.is_empty():
            bars = _joined(bars, part, keys)
    return bars


def _joined(bars: pl.DataFrame, marks: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    summary = marks.group_by(keys).agg(
        _flags=pl.col("flag").unique().sort().str.join(","),
        _error=(pl.col("severity") == "error").any(),
    )
    # Marks are few, mostly: whatever else is done, is done for the bars that may carry one alone.
    near = bars.select(pl.col(keys[1]).is_in(marks[keys[1]].unique().implode()).arg_true())
    rows = near.to_series()
    touched = (
        bars[rows]
        .select(*keys, "flags", "dq_status", _row=rows)
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
    error = pl.col("_error") | (pl.col("dq_status") == "error")
    # Few different texts exist however many rows there are: each is taken apart once.
    both = pl.concat_str(
        pl.col("flags").replace("", None), "_flags", separator=",", ignore_nulls=True
    )
    texts = (
        touched.select("flags", "_flags")
        .unique()
        .with_columns(_all=both.str.split(",").list.unique().list.sort().list.join(","))
    )
    return touched.join(texts, on=["flags", "_flags"], how="left", maintain_order="left").select(
        "_row",
        flags="_all",
        dq_status=pl.when(error).then(pl.lit("error")).otherwise(pl.lit("warn")),
    )
