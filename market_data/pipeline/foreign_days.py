"""When a daily bar over a vendor's own day ended, by the raw bar that it was made of.

What belongs here: from curated bars to the ends of their vendors' days. What does not: the days
themselves (market_data/calendars/labels.py), what is told by them (market_data/features/series.py).

Curated bars carry a flag alone. The basis of the raw bar says where the day began.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from market_data.basis import FOREIGN_DAY
from market_data.calendars import with_end_of_basis
from market_data.datasets import raw_bars
from market_data.pipeline.platform import Platform
from market_data.schemas import UTC
from market_data.timeframes import Timeframe

_KEY = ["symbol", "session"]


def with_day_end(platform: Platform, bars: pl.DataFrame, as_of: datetime | None) -> pl.DataFrame:
    """Adds day_end (UTC): when the vendor's own day of a daily bar ended.

    Null where the bar is over its instrument's own session, and where the raw log holds no bar of
    that vendor and session.

    Args:
        platform: holds the raw logs.
        bars: symbol, session, source, flags of daily bars.
        as_of: by the raw bars known then; None for all.
    """
    foreign = bars.filter(pl.col("flags").str.contains(FOREIGN_DAY, literal=True))
    if foreign.is_empty():
        return bars.with_columns(day_end=pl.lit(None, UTC))
    found = [_ends(platform, vendor, own, as_of) for (vendor,), own in foreign.group_by("source")]
    flagged = pl.col("flags").str.contains(FOREIGN_DAY, literal=True)
    return bars.join(
        pl.concat(found), on=[*_KEY, "source"], how="left", maintain_order="left"
    ).with_columns(day_end=pl.when(flagged).then("day_end"))


def _ends(
    platform: Platform, vendor: object, bars: pl.DataFrame, as_of: datetime | None
) -> pl.DataFrame:
    """symbol, session, source, day_end: the latest one where the raw bars differ."""
    symbols = bars["symbol"].unique().sort().to_list()
    days = bars["session"].sort()
    told = platform.raw_log.read(
        raw_bars(str(vendor), Timeframe.D1),
        symbols=symbols,
        sessions=(days[0], days[-1]),
        known_at=as_of,
    )
    frames = [pl.DataFrame(schema={"symbol": pl.String, "session": pl.Date, "bar_end": UTC})]
    for symbol in symbols:
        calendar = platform.universe.instrument(symbol).calendar
        own = told.filter(pl.col("symbol") == symbol)
        ended = with_end_of_basis(own, calendar, Timeframe.D1)
        frames.append(ended.select(*_KEY, "bar_end"))
    ends = pl.concat(frames).group_by(_KEY).agg(day_end=pl.col("bar_end").max())
    return ends.with_columns(source=pl.lit(str(vendor)))
