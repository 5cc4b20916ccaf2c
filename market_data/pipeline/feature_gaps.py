"""What a feature frame lacks or has too much, against the bars that are served and the calendar.

What belongs here: bars without features, sessions whose last bar has none. What does not: the rows
themselves (feature_frames.py), the checks of stored features (feature_inspection.py).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import date, datetime

import polars as pl

from market_data.calendars import bar_starts, trading_sessions
from market_data.datasets import curated_bars
from market_data.errors import MissingFeaturesWarning
from market_data.pipeline.feature_bars import FeatureBars
from market_data.pipeline.platform import Platform
from market_data.timeframes import Timeframe

_KEY = ["symbol", "ts"]


def before_the_last_bar(
    platform: Platform, newest: pl.DataFrame, timeframe: Timeframe, session: date
) -> list[str]:
    """Symbols whose newest row is not that of the last bar that their calendar expects."""
    if not timeframe.is_intraday:
        return []
    calendars = {s: platform.universe.instrument(s).calendar for s in newest["symbol"]}
    last = {c: _last_start(c, timeframe, session) for c in {*calendars.values()}}
    rows = newest.select("symbol", "ts").iter_rows()
    return sorted(s for s, ts in rows if (end := last[calendars[s]]) is not None and ts < end)


def _last_start(calendar: str, timeframe: Timeframe, session: date) -> datetime | None:
    """Start of the last bar that a session is expected to have; None where it has no hours."""
    hours = trading_sessions(calendar, session, session).select(
        "session",
        begin=pl.coalesce("expected_from", "open"),
        end=pl.coalesce("expected_until", "close"),
    )
    grid = bar_starts(calendar, timeframe, session, session).join(hours, on="session")
    expected = grid.filter(pl.col("ts") >= pl.col("begin"), pl.col("ts") < pl.col("end"))
    found = expected["ts"].max()
    return found if isinstance(found, datetime) else None


def of_served_bars(
    platform: Platform, symbols: Sequence[str], timeframe: Timeframe, rows: pl.DataFrame
) -> pl.DataFrame:
    """The rows whose bars readers still get; a warning tells of the others."""
    days = rows["session"].to_list()
    if not days:
        return rows
    bars = FeatureBars(platform, timeframe).read(symbols, min(days), max(days))
    served = rows.join(bars.select(_KEY), on=_KEY, how="semi", maintain_order="left")
    if gone := rows.height - served.height:
        warnings.warn(
            f"{gone} {timeframe} rows of features are left out: their bars are not served any "
            "more; 'emp features make' makes those anew that had a part in them",
            MissingFeaturesWarning,
            stacklevel=4,
        )
    return served


def warn_of_nothing_known(
    timeframe: Timeframe, sessions: tuple[date, date], as_of: datetime
) -> None:
    """Tell that the raw logs hold no bar of a range that was known at a moment."""
    warnings.warn(
        f"no {timeframe} bar of the sessions {sessions[0]} to {sessions[1]} was known on "
        f"{as_of:%Y-%m-%d %H:%M:%S} UTC, by the raw logs",
        MissingFeaturesWarning,
        stacklevel=4,
    )


def warn_of_missing(
    platform: Platform,
    symbols: Sequence[str],
    timeframe: Timeframe,
    sessions: tuple[date, date],
    rows: pl.DataFrame,
) -> None:
    """Tell of bars that are served and have no features."""
    bars = platform.store.scan(
        curated_bars(timeframe),
        symbols=symbols,
        sessions=sessions,
        columns=[*_KEY, "session", "dq_status", "final"],
    ).filter(pl.col("final"), pl.col("dq_status") != "error")
    missing = bars.join(rows.select(_KEY), on=_KEY, how="anti")
    if missing.height:
        days = missing["session"].unique().sort()
        warnings.warn(
            f"{missing.height} of {bars.height} {timeframe} bars have no features (sessions "
            f"{days[0]} to {days[-1]}): 'emp features make' makes "
            "them",
            MissingFeaturesWarning,
            stacklevel=4,
        )
