"""Vintages of series: which statement about a period counts at a time, nulls included.

What belongs here: pure rules over rows of FRED_OBSERVATIONS. What does not: which release a vintage
belongs to (market_data/macro/calendar.py), storing (market_data/pipeline/macro_ingest.py).

The newest statement counts. Where it says that there is no value, the one before is withdrawn: the
period has none from that day on, as if it had not been published yet, until another one comes.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from market_data.datasets import FRED_VINTAGES
from market_data.overtaking import FETCH
from market_data.statements import holding, subject_of

_PERIOD = ["series", "period"]


def taken_back(rows: pl.DataFrame, known_at: datetime | None = None) -> pl.DataFrame:
    """Values that FRED has replaced by "no value" under the very day on which it had given them.

    Args:
        rows: rows of FRED_OBSERVATIONS, every statement.
        known_at: only what was known by then; None for everything.

    Returns:
        The newest such value of each day and period.
    """
    subject = subject_of(FRED_VINTAGES)
    seen = rows if known_at is None else rows.filter(pl.col("known_at") <= known_at)
    empty = holding(seen, FRED_VINTAGES).filter(pl.col("value").is_null())
    return (
        seen.drop_nulls("value")
        .join(empty.select(subject), on=subject, how="semi", maintain_order="left")
        .sort(*subject, *FETCH)
        .unique(subject, keep="last", maintain_order=True)
        .select(FRED_VINTAGES.schema.names)
    )


def said(vintages: pl.DataFrame, withdrawn: pl.DataFrame) -> pl.DataFrame:
    """Every statement in the order in which they were made.

    Args:
        vintages: rows of FRED_OBSERVATIONS that hold.
        withdrawn: rows as `taken_back` gives them.

    Returns:
        Columns series, period, seen (Date), value (null: there is none from then on), known_at,
        sorted by the first three.
    """
    columns = {
        "series": pl.col("symbol"),
        "period": pl.col("period"),
        "seen": pl.col("session"),
        "value": pl.col("value"),
        "known_at": pl.col("known_at"),
    }
    # A value that was taken back in place goes before the statement that did so.
    both = pl.concat([withdrawn.select(**columns), vintages.select(**columns)])
    return both.sort("series", "period", "seen", maintain_order=True)


def spans(statements: pl.DataFrame) -> pl.DataFrame:
    """From when until when each period had a value.

    Args:
        statements: as `said` gives them.

    Returns:
        Columns series, period, since, until (Date, excluded; null where it still has one). A value
        that was taken back in place has a span without a day.
    """
    ended = pl.when(pl.col("value").is_null()).then("seen").backward_fill().over(_PERIOD)
    return (
        statements.with_columns(until=ended)
        .drop_nulls("value")
        .group_by(*_PERIOD, "until")
        .agg(since=pl.col("seen").min())
        .select(*_PERIOD, "since", "until")
    )


def newest_period(days: pl.DataFrame, held: pl.DataFrame, *, exact: bool) -> pl.DataFrame:
    """The newest period of a series that had a value on a day, or just before it.

    Args:
        days: columns series, seen (Date).
        held: as `spans` gives them.
        exact: what began on the day itself counts; else what the day before knew.

    Returns:
        Columns series, seen, period; no row where no period had a value.
    """
    asked = days.select("series", "seen").unique()
    open_end = pl.col("until").is_null()
    if exact:
        began = pl.col("since") == pl.col("seen")
        counts = (pl.col("since") <= pl.col("seen")) & (
            open_end | (pl.col("until") > pl.col("seen")) | began
        )
    else:
        counts = (pl.col("since") < pl.col("seen")) & (
            open_end | (pl.col("until") >= pl.col("seen"))
        )
    return (
        asked.join(held, on="series")
        .filter(counts)
        .group_by("series", "seen")
        .agg(pl.col("period").max())
    )
