"""The sessions about which a preferred vendor says anything.

What belongs here: where it has bars, and where it has none. What does not: the decision to prefer
it (annotations.py), what follows from one (market_data/quality/annotations.py).
"""

from __future__ import annotations

from datetime import date

import polars as pl

from market_data.calendars import trading_sessions
from market_data.datasets import raw_bars
from market_data.errors import ConfigurationError
from market_data.pipeline.platform import Platform
from market_data.ports import Annotation
from market_data.quality.annotations import HEARD
from market_data.timeframes import Timeframe


def sessions_held(platform: Platform, wish: Annotation, timeframe: Timeframe) -> pl.DataFrame:
    """Rows of HEARD: the sessions of which a preferred vendor has bars, or minutes to make them of.

    Raises:
        ConfigurationError: there is no such vendor, or it said nothing about the period.
    """
    platform.universe.vendor(wish.vendor)
    span = (wish.first_session, wish.last_session)
    held = pl.concat(
        platform.raw_log.read(
            raw_bars(wish.vendor, source), symbols=[wish.symbol], sessions=span
        ).select(list(HEARD))
        for source in dict.fromkeys((timeframe, Timeframe.M1))
    ).unique()
    if not held.is_empty():
        return held
    raise ConfigurationError(
        f"{wish.vendor} has no {timeframe} bars of {wish.symbol} from {span[0]} to {span[1]}, so "
        "that nothing would follow from it being right; 'emp coverage' shows who has"
    )


def silent_sessions(platform: Platform, wish: Annotation, held: pl.DataFrame) -> tuple[date, ...]:
    """The sessions of a period, until today, that are not among those held."""
    calendar = platform.universe.instrument(wish.symbol).calendar
    last = min(wish.last_session, platform.clock.now().date())
    if last < wish.first_session:
        return ()
    days = trading_sessions(calendar, wish.first_session, last)
    return tuple(days.join(held, on="session", how="anti")["session"].sort())
