"""Waiting: how long after their end the bars of a session may still be on their way.

What belongs here: the delay of whoever was asked for a symbol, of the sessions for which it matters
at a moment. What does not: the delays of vendors (adapters/vendors), what is late or odd after them
(market_data/quality).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe


def longest_delay(platform: Platform) -> timedelta:
    """That of the slowest vendor."""
    delays = (platform.vendors.delay(v.name) for v in platform.universe.vendors)
    return max(delays, default=timedelta(0))


def delays_of(
    platform: Platform, sources: Sequence[Timeframe], hours: pl.DataFrame, moment: datetime
) -> pl.DataFrame | None:
    """How long after their end the bars of each session can be had, where it may not be over yet.

    That is the delay of the fastest vendor that was asked for the symbol, up to the session.

    Args:
        platform: the vendors, and the ledger.
        sources: timeframes of the bars that the judged ones are made of.
        hours: symbol, session, close.
        moment: of the judgement, UTC.

    Returns:
        symbol, session, delay; None where every session has long been over.
    """
    longest = longest_delay(platform)
    late = hours.filter(pl.col("close") + longest > moment)
    if late.is_empty() or not longest:
        return None
    asked = [
        platform.ledger.spans(timeframe=t, vendors=[v.name]).with_columns(
            delay=pl.lit(platform.vendors.delay(v.name), pl.Duration("us"))
        )
        for v in platform.universe.vendors
        for t in v.timeframes
        if t in sources
    ]
    if not asked:
        return None
    return (
        late.select("symbol", "session")
        .join(pl.concat(asked), on="symbol")
        .filter(pl.col("session").is_between("first", "last"))
        .group_by("symbol", "session")
        .agg(pl.col("delay").min())
    )
