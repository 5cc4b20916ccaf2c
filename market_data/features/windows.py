"""Windows: which bars before a session its features are made of.

What belongs here: stretches of sessions, how far before them bars are read, how far ahead for
labels. What does not: reading (market_data/pipeline/features.py).

An average without end depends on where it begins, if only in its last digits. So it begins at the
same bar whoever asks: WARM_UP bars before the first session of the stretch (a week of minutes, a
month or a year of longer bars) that the row lies in. One session computed alone has then the same
bits as within its year.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl

from market_data.features.registry import WARM_UP
from market_data.timeframes import Timeframe

_DAY = timedelta(days=1)

LOOK_BACK = {
    Timeframe.M1: timedelta(days=10),
    Timeframe.M5: timedelta(days=21),
    Timeframe.M15: timedelta(days=45),
    Timeframe.H1: timedelta(days=150),
    Timeframe.H4: timedelta(days=550),
    Timeframe.D1: timedelta(days=1100),
}
"""Days that hold WARM_UP bars of any market, and a little more: equities trade six and a half
hours. A symbol that has fewer there is read from its first bar on."""

_BY_YEAR = (Timeframe.H4, Timeframe.D1)


def stretch_of(timeframe: Timeframe, session: date) -> tuple[date, date]:
    """First and last day of the stretch that a session lies in."""
    if timeframe is Timeframe.M1:
        monday = session - session.weekday() * _DAY
        return monday, monday + 6 * _DAY
    if timeframe in _BY_YEAR:
        return date(session.year, 1, 1), date(session.year, 12, 31)
    first = session.replace(day=1)
    return first, (first + 32 * _DAY).replace(day=1) - _DAY


def stretches(timeframe: Timeframe, first: date, last: date) -> Iterator[tuple[date, date, date]]:
    """The stretches that a range touches: where each begins, and its first and last day within."""
    day = first
    while day <= last:
        begin, end = stretch_of(timeframe, day)
        yield begin, day, min(end, last)
        day = end + _DAY


def touched_until(timeframe: Timeframe, last: date) -> date:
    """The last session whose features may be made of bars of a session."""
    return stretch_of(timeframe, last + LOOK_BACK[timeframe])[1]


def warm_up(bars: pl.DataFrame, begin: date) -> pl.DataFrame:
    """The bars of a stretch and, of each symbol, the WARM_UP bars before it.

    Args:
        bars: symbol and session, sorted by (symbol, ts).
        begin: first day of the stretch.
    """
    return _nearest(bars, pl.col("session") < begin, -WARM_UP)


def look_ahead(bars: pl.DataFrame, last: date, count: int) -> pl.DataFrame:
    """The bars until a day and, of each symbol, so many after it.

    Args:
        bars: symbol and session, sorted by (symbol, ts).
        last: that day.
        count: how many.
    """
    return _nearest(bars, pl.col("session") > last, count)


def _nearest(bars: pl.DataFrame, outside: pl.Expr, count: int) -> pl.DataFrame:
    """Without bars outside of which so many of their symbol lie between them and the inside."""
    there = pl.col("symbol").shift(count) == pl.col("symbol")
    return bars.filter(~(outside & outside.shift(count, fill_value=False) & there))


def short_of(bars: pl.DataFrame, begin: date, first: date, last: date) -> list[str]:
    """Symbols with bars in a part of a stretch and fewer than WARM_UP before the stretch.

    Args:
        bars: symbol and session.
        begin: first day of the stretch.
        first: first day of the part.
        last: last day of the part.
    """
    counted = bars.group_by("symbol").agg(
        before=(pl.col("session") < begin).sum(),
        within=pl.col("session").is_between(first, last).any(),
    )
    return counted.filter(pl.col("within"), pl.col("before") < WARM_UP)["symbol"].sort().to_list()
