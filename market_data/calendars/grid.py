"""The bars that a calendar expects: their times and their number.

What belongs here: grids of bars and counts per session. What does not: which of them are there
(market_data/quality).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from market_data.calendars.sessions import trading_sessions
from market_data.schemas import EXPECTED, UTC
from market_data.timeframes import Timeframe
from market_data.universe import Instrument


def bar_starts(calendar: str, timeframe: Timeframe, start: date, end: date) -> pl.DataFrame:
    """The grid of all bars that a complete feed holds.

    Intraday bars are anchored at the session's open and again at the end of the lunch break; the
    last bar before a break or the close may be shorter. A daily bar spans its session.

    Args:
        calendar: calendar code.
        timeframe: length of the bars.
        start: first session, included.
        end: last session, included.

    Returns:
        Columns session (Date), ts and bar_end (Datetime us, UTC), sorted by ts.

    Raises:
        ConfigurationError: the calendar is unknown.
    """
    sessions = trading_sessions(calendar, start, end)
    if not timeframe.is_intraday:
        return sessions.select("session", ts="open", bar_end="close")
    step = _microseconds(timeframe)
    stretches = _stretches(sessions).with_columns(
        ts=pl.int_ranges(pl.col("from").dt.epoch("us"), pl.col("to").dt.epoch("us"), step)
    )
    bars = stretches.explode("ts", empty_as_null=False).with_columns(pl.col("ts").cast(UTC))
    return bars.select(
        "session", "ts", bar_end=pl.min_horizontal(pl.col("ts") + timeframe.duration, "to")
    )


def expected_bars(
    instruments: Sequence[Instrument], timeframe: Timeframe, start: date, end: date
) -> pl.DataFrame:
    """How many bars each instrument should have in each of its sessions.

    Args:
        instruments: instruments; `listed` and `delisted` bound their sessions, both included.
        timeframe: length of the bars.
        start: first session, included.
        end: last session, included.

    Returns:
        EXPECTED columns, one row per symbol and session, none on holidays, sorted by both.

    Raises:
        ConfigurationError: a calendar is unknown.
    """
    if not instruments:
        return EXPECTED.empty()
    bounds = pl.DataFrame(
        [(i.symbol, i.calendar, i.listed or start, i.delisted or end) for i in instruments],
        schema={"symbol": pl.String, "calendar": pl.String, "listed": pl.Date, "delisted": pl.Date},
        orient="row",
    )
    calendars = sorted({i.calendar for i in instruments})
    # The rows carry the plain code, whatever the version.
    sessions = pl.concat(
        trading_sessions(calendar, start, end).with_columns(calendar=pl.lit(calendar))
        for calendar in calendars
    )
    rows = (
        sessions.with_columns(expected=_count(timeframe))
        .join(bounds, on="calendar")
        .filter(pl.col("session").is_between("listed", "delisted"))
        .sort("symbol", "session")
    )
    return EXPECTED.conform(rows)


def _stretches(sessions: pl.DataFrame) -> pl.DataFrame:
    """Columns session, from, to: the uninterrupted parts of each session, in order of time."""
    morning = sessions.select(
        "session", pl.col("open").alias("from"), to=pl.coalesce("break_start", "close")
    )
    afternoon = sessions.filter(pl.col("break_end").is_not_null()).select(
        "session", pl.col("break_end").alias("from"), pl.col("close").alias("to")
    )
    return pl.concat([morning, afternoon]).sort("from")


def _count(timeframe: Timeframe) -> pl.Expr:
    """Number of bars that are expected of a session, from the columns of TRADING_SESSIONS."""
    begin = pl.coalesce("expected_from", "open")
    end = pl.coalesce("expected_until", "close")
    if not timeframe.is_intraday:
        return (begin < end).cast(pl.Int64)
    morning_end = pl.coalesce("break_start", "close")
    morning = _bars_between(begin, pl.min_horizontal(morning_end, end), timeframe)
    afternoon = _bars_between(pl.max_horizontal("break_end", begin), end, timeframe)
    return morning + pl.when(pl.col("break_end").is_not_null()).then(afternoon).otherwise(0)


def _bars_between(begin: pl.Expr, end: pl.Expr, timeframe: Timeframe) -> pl.Expr:
    step = _microseconds(timeframe)
    length = (end - begin).dt.total_microseconds().clip(lower_bound=0)
    return (length + step - 1) // step


def _microseconds(timeframe: Timeframe) -> int:
    return timeframe.minutes * 60_000_000
