"""Statements that were fetched in the future: a machine's clock was ahead when it asked.

What belongs here: telling so. What does not: which statement is the later one all the same
(market_data/statements.py), raw bars (market_data/quality/fetch_times.py).
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from market_data.macro.outcomes import found_rows
from market_data.overtaking import CLOCKS_APART
from market_data.quality.findings import ERROR


def fetched_ahead(held: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Sessions of which a statement that holds was fetched after now, as findings.

    Args:
        held: rows of FRED_RELEASES or FRED_OBSERVATIONS that hold.
        now: the moment, UTC.

    Returns:
        Code fetched_in_future (error), one per symbol and session; value and threshold in seconds.
    """
    ahead = (
        held.filter(pl.col("fetched_at") > now + CLOCKS_APART)
        .group_by("symbol", "session")
        .agg(last=pl.col("fetched_at").max())
        .sort("session", "symbol")
    )
    return found_rows(
        ahead,
        "fetched_in_future",
        ERROR,
        pl.format(
            "fetched at {} UTC, which is still to come: a clock was ahead; set it right and ask "
            "again with 'emp macro ingest'",
            pl.col("last").dt.strftime("%Y-%m-%d %H:%M"),
        ),
        value=(pl.col("last") - now).dt.total_microseconds() / 1e6,
        threshold=pl.lit(CLOCKS_APART.total_seconds()),
    )
